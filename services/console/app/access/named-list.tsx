// A page that lists things by their names, with a filter and a dialog that makes one more.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { ListHead } from "../list.tsx";
import { Show, useLoaded } from "../load.tsx";

export function NamedList<T extends { readonly name: string }>(props: {
  readonly title: string;
  /** What the button makes: "New role". */
  readonly action: string;
  readonly load: () => Promise<readonly T[]>;
  readonly table: (found: readonly T[]) => JSX.Element;
  readonly dialog: (onClose: () => void) => JSX.Element;
}): JSX.Element {
  const loaded = useLoaded(props.load, []);
  const isMaking = useSignal(false);
  const filter = useSignal("");
  return (
    <>
      <ListHead
        title={props.title}
        action={props.action}
        filter={{ label: "Name contains", text: filter }}
        onAction={() => {
          isMaking.value = true;
        }}
      />
      <Show of={loaded}>
        {(all) => props.table(all.filter(({ name }) => name.includes(filter.value.trim())))}
      </Show>
      {isMaking.value
        ? props.dialog(() => {
            isMaking.value = false;
          })
        : null}
    </>
  );
}
