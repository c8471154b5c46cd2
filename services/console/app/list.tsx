// What pages with a list are made of: their head with the filter and the button that makes one
// more, and tables that scroll sideways on narrow screens and are reached by the keyboard.
import type { Signal } from "@preact/signals";
import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { Button, Field } from "./ui.tsx";

export function ListHead(props: {
  readonly title: string;
  /** What the button makes: "New user". */
  readonly action: string;
  readonly onAction: () => void;
  readonly filter?: { readonly label: string; readonly text: Signal<string> };
}): JSX.Element {
  const { filter } = props;
  return (
    <div class="head">
      <h1 class="grow">{props.title}</h1>
      {filter === undefined ? null : (
        <div class="inline-field">
          <Field
            label={filter.label}
            type="search"
            value={filter.text.value}
            onInput={(value) => {
              filter.text.value = value;
            }}
          />
        </div>
      )}
      <Button kind="main" onClick={props.onAction}>
        {props.action}
      </Button>
    </div>
  );
}

/** Text of its head; "number" columns stand to the right, "actions" have no visible head. */
export type Column = string | readonly [string, "number" | "actions"];

function Head({ column }: { readonly column: Column }): JSX.Element {
  if (typeof column === "string") return <th scope="col">{column}</th>;
  const [text, kind] = column;
  return (
    <th scope="col" class={kind === "number" ? "number" : ""}>
      {kind === "actions" ? <span class="hidden">{text}</span> : text}
    </th>
  );
}

export function Table(props: {
  /** Names the region for assistive technology. */
  readonly label: string;
  readonly columns: readonly Column[];
  /** `tr` elements. */
  readonly children: ComponentChildren;
  /** Stands by itself, not in a card. */
  readonly card?: boolean;
}): JSX.Element {
  return (
    <div
      class={props.card === true ? "card scroll" : "scroll"}
      tabIndex={0}
      role="region"
      aria-label={props.label}
    >
      <table>
        <thead>
          <tr>
            {props.columns.map((column) => (
              <Head key={String(column)} column={column} />
            ))}
          </tr>
        </thead>
        <tbody>{props.children}</tbody>
      </table>
    </div>
  );
}

/** A form of one field: what is typed is given to `onSubmit`, and the field is empty again. */
export function OneLineForm(props: {
  readonly label: string;
  readonly action: string;
  readonly onSubmit: (text: string) => Promise<unknown>;
}): JSX.Element {
  const text = useSignal("");
  return (
    <form
      class="tools"
      onSubmit={(event) => {
        event.preventDefault();
        void props.onSubmit(text.value.trim()).then(() => {
          text.value = "";
        });
      }}
    >
      <div class="inline-field">
        <Field
          label={props.label}
          value={text.value}
          onInput={(value) => {
            text.value = value;
          }}
        />
      </div>
      <Button type="submit" disabled={text.value.trim() === ""}>
        {props.action}
      </Button>
    </form>
  );
}

/** One thing of a list with what can be done to it. */
export function Row(props: {
  readonly text: ComponentChildren;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <div class="row">
      <span class="grow">{props.text}</span>
      {props.children}
    </div>
  );
}
