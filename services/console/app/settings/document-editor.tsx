// A setting as the text S3 keeps: edited by hand, checked by the server when it is saved.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { tell, textOf } from "../state.ts";
import { Button, Failure, Field } from "../ui.tsx";

export function DocumentEditor(props: {
  readonly label: string;
  readonly text: string;
  readonly hint?: string;
  readonly onCheck?: (text: string) => Promise<string>;
  readonly onSave: (text: string) => Promise<unknown>;
  readonly onDelete?: () => Promise<unknown>;
}): JSX.Element {
  const text = useSignal(props.text);
  const failure = useSignal("");
  const good = useSignal("");
  const tryIt = (act: () => Promise<string>) => async (): Promise<void> => {
    failure.value = "";
    good.value = "";
    try {
      good.value = await act();
    } catch (error) {
      failure.value = textOf(error);
    }
  };
  const { onCheck, onDelete } = props;
  return (
    <>
      <Field
        label={props.label}
        rows={14}
        value={text.value}
        {...(props.hint === undefined ? {} : { hint: props.hint })}
        onInput={(value) => {
          text.value = value;
        }}
      />
      <Failure text={failure.value} />
      {good.value === "" ? null : <p class="good-note">{good.value}</p>}
      <div class="actions">
        {onDelete === undefined ? null : (
          <Button
            kind="bad"
            onClick={tryIt(async () => {
              await onDelete();
              text.value = "";
              tell("Deleted");
              return "";
            })}
          >
            Delete
          </Button>
        )}
        {onCheck === undefined ? null : (
          <Button onClick={tryIt(() => onCheck(text.value))}>Check</Button>
        )}
        <Button
          kind="main"
          onClick={tryIt(async () => {
            await props.onSave(text.value);
            tell("Saved");
            return "The server took it.";
          })}
        >
          Save
        </Button>
      </div>
    </>
  );
}
