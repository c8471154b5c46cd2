// The pieces all pages are made of: buttons, fields, dialogs, tables, notices. Semantics first, so
// that keyboards and screen readers work without further ado.
import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { dismiss, notices, tell, textOf } from "./state.ts";

const ICONS = {
  folder: "M2 4h5l2 2h9v11H2z",
  file: "M4 2h8l4 4v12H4zM12 2v4h4",
  bucket: "M3 5h14l-2 13H5zM3 5c0-3 14-3 14 0",
  up: "M10 17V4M4 10l6-6 6 6",
  down: "M10 3v13M4 10l6 6 6-6",
  close: "M4 4l12 12M16 4L4 16",
  users:
    "M7 9a3 3 0 100-6 3 3 0 000 6zM1 17c0-8 12-8 12 0M14 9a2.500 2.500 0 100-5M15 12c3 0 4 2 4 5",
  key: "M7 13a4 4 0 110-8 4 4 0 010 8zM11 9h8v4M15 9v3",
  cluster: "M3 3h6v6H3zM11 3h6v6h-6zM3 11h6v6H3zM11 11h6v6h-6z",
  live: "M1 11h4l3-8 4 14 3-6h4",
  policy: "M10 2l7 3v5c0 4-3 7-7 8-4-1-7-4-7-8V5z",
  role: "M10 2a4 4 0 110 8 4 4 0 010-8zM3 18c0-7 14-7 14 0M14 12l2 2 3-4",
  more: "M4 10h.1M10 10h.1M16 10h.1",
} as const;

export type IconName = keyof typeof ICONS;

export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true">
      <path d={ICONS[name]} />
    </svg>
  );
}

interface ButtonProps {
  readonly children: ComponentChildren;
  readonly onClick?: () => unknown;
  readonly kind?: "plain" | "main" | "bad" | "quiet";
  readonly type?: "button" | "submit";
  readonly disabled?: boolean;
  readonly label?: string;
}

/** While what a click asked for runs, the button cannot be pressed again. */
export function Button(props: ButtonProps): JSX.Element {
  const isBusy = useSignal(false);
  const click = async (): Promise<void> => {
    if (props.onClick === undefined || isBusy.value) return;
    isBusy.value = true;
    try {
      await props.onClick();
    } catch (error) {
      tell(textOf(error), "bad");
    } finally {
      isBusy.value = false;
    }
  };
  return (
    <button
      type={props.type ?? "button"}
      class={`button ${props.kind ?? "plain"}`}
      disabled={props.disabled === true || isBusy.value}
      aria-label={props.label}
      title={props.label}
      onClick={() => void click()}
    >
      {props.children}
    </button>
  );
}

interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onInput: (value: string) => void;
  readonly type?: "text" | "password" | "number" | "email" | "search" | "date";
  readonly hint?: string;
  readonly required?: boolean;
  readonly rows?: number;
  readonly name?: string;
  readonly autocomplete?: "username" | "current-password" | "off";
  readonly focus?: boolean;
}

export function Field(props: FieldProps): JSX.Element {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (props.focus === true) input.current?.focus();
  }, [props.focus]);
  const typed: Readonly<Record<string, string>> = { type: props.type ?? "text" };
  const shared = {
    id,
    name: props.name ?? id,
    value: props.value,
    required: props.required === true,
    spellcheck: false,
    "aria-describedby": props.hint === undefined ? undefined : `${id}-hint`,
    onInput: (event: { readonly currentTarget: { readonly value: string } }) =>
      props.onInput(event.currentTarget.value),
  };
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      {props.rows === undefined ? (
        <input {...shared} ref={input} {...typed} autocomplete={props.autocomplete ?? "off"} />
      ) : (
        <textarea {...shared} rows={props.rows} />
      )}
      {props.hint === undefined ? null : (
        <p class="hint" id={`${id}-hint`}>
          {props.hint}
        </p>
      )}
    </div>
  );
}

export function Choice(props: {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [string, string])[];
  readonly onChange: (value: string) => void;
}): JSX.Element {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <select
        id={id}
        value={props.value}
        onChange={(event) => props.onChange(event.currentTarget.value)}
      >
        {props.options.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}

export function Check(props: {
  readonly label: string;
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
  readonly disabled?: boolean;
}): JSX.Element {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={props.checked}
        disabled={props.disabled === true}
        onChange={(event) => props.onChange(event.currentTarget.checked)}
      />
      <span>{props.label}</span>
    </label>
  );
}

/** A modal dialog; the browser keeps the focus in it and closes it on Escape. */
export function Dialog(props: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  readonly wide?: boolean;
}): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const element = dialog.current;
    if (element?.open === false) element.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      class={props.wide === true ? "wide" : ""}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
    >
      <header>
        <h2 id={id}>{props.title}</h2>
        <Button kind="quiet" label="Close" onClick={props.onClose}>
          <Icon name="close" />
        </Button>
      </header>
      {props.children}
    </dialog>
  );
}

/** A form in a dialog; stays open, with the reason, when the server refuses. */
export function FormDialog(props: {
  readonly title: string;
  readonly action: string;
  readonly kind?: "main" | "bad";
  readonly onClose: () => void;
  readonly onSubmit: () => Promise<unknown>;
  readonly children: ComponentChildren;
  readonly disabled?: boolean;
}): JSX.Element {
  const failure = useSignal("");
  const isBusy = useSignal(false);
  const submit = async (): Promise<void> => {
    if (isBusy.value || props.disabled === true) return;
    isBusy.value = true;
    failure.value = "";
    try {
      await props.onSubmit();
    } catch (error) {
      failure.value = textOf(error);
    } finally {
      isBusy.value = false;
    }
  };
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        {props.children}
        <Failure text={failure.value} />
        <div class="actions">
          <Button onClick={props.onClose}>Cancel</Button>
          <Button
            type="submit"
            kind={props.kind ?? "main"}
            disabled={props.disabled === true || isBusy.value}
          >
            {props.action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Asks before what cannot be undone; the name is typed where `name` is given. */
export function Confirm(props: {
  readonly title: string;
  readonly text: string;
  readonly action: string;
  readonly name?: string;
  readonly onClose: () => void;
  readonly onConfirm: () => Promise<unknown>;
}): JSX.Element {
  const typed = useSignal("");
  return (
    <FormDialog
      title={props.title}
      action={props.action}
      kind="bad"
      onClose={props.onClose}
      disabled={props.name !== undefined && typed.value !== props.name}
      onSubmit={async () => {
        await props.onConfirm();
        props.onClose();
      }}
    >
      <p class="plain-text">{props.text}</p>
      {props.name === undefined ? null : (
        <Field
          label={`Type ${props.name} to go on`}
          value={typed.value}
          onInput={(value) => {
            typed.value = value;
          }}
        />
      )}
    </FormDialog>
  );
}

export function Failure({ text }: { readonly text: string }): JSX.Element {
  return (
    <p class={text === "" ? "failure empty" : "failure"} role="alert">
      {text}
    </p>
  );
}

export function Notices(): JSX.Element {
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.value.map((notice) => (
        <div key={notice.id} class={`notice ${notice.kind}`}>
          <span>{notice.text}</span>
          <Button kind="quiet" label="Dismiss" onClick={() => dismiss(notice.id)}>
            <Icon name="close" />
          </Button>
        </div>
      ))}
    </div>
  );
}

/** A value to take away, with a button that copies it. */
export function Copyable(props: {
  readonly label: string;
  readonly text: string;
  readonly rows?: number;
}): JSX.Element {
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  const copy = async (): Promise<void> => {
    // Without HTTPS browsers have no clipboard API; there the selection is copied.
    if (navigator.clipboard === undefined) {
      area.current?.select();
      document.execCommand("copy");
    } else {
      await navigator.clipboard.writeText(props.text);
    }
    tell(`${props.label}: copied`);
  };
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <div class="copyable">
        <textarea id={id} ref={area} readOnly rows={props.rows ?? 2} value={props.text} />
        <Button onClick={copy} label={`Copy ${props.label}`}>
          Copy
        </Button>
      </div>
    </div>
  );
}

export function Meter(props: {
  readonly label: string;
  readonly value: number;
  readonly text?: string;
}): JSX.Element {
  const percent = Math.max(0, Math.min(100, Math.round(props.value * 100)));
  return (
    <div class="meter">
      <div
        class="bar"
        role="progressbar"
        aria-label={props.label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
      >
        <div class="fill" style={{ width: `${percent}%` }} />
      </div>
      <span class="meter-text">{props.text ?? `${percent} %`}</span>
    </div>
  );
}

export function Tabs(props: {
  readonly label: string;
  readonly tabs: readonly (readonly [string, string])[];
  readonly current: string;
  readonly href: (tab: string) => string;
}): JSX.Element {
  return (
    <nav class="tabs" aria-label={props.label}>
      {props.tabs.map(([tab, text]) => (
        <a
          key={tab}
          href={props.href(tab)}
          aria-current={tab === props.current ? "page" : undefined}
        >
          {text}
        </a>
      ))}
    </nav>
  );
}
