// The policies of a user, a group or a role: attached ones by name, and those written for it alone.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { api, type PolicyHolder } from "../api.ts";
import type { InlinePolicy } from "../api-types.ts";
import { OneLineForm, Row } from "../list.tsx";
import { DocumentEditor } from "../settings/document-editor.tsx";
import { attempt } from "../state.ts";
import { Button, Dialog, Field } from "../ui.tsx";

export const EMPTY_POLICY = JSON.stringify(
  {
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: ["s3:GetObject"], Resource: ["arn:aws:s3:::BUCKET/*"] }],
  },
  null,
  2,
);

export function documentText(document: unknown): string {
  if (typeof document !== "string") return JSON.stringify(document, null, 2) ?? "";
  return JSON.stringify(JSON.parse(document), null, 2);
}

interface SetProps {
  readonly of: PolicyHolder;
  readonly name: string;
  readonly inline: readonly InlinePolicy[];
  readonly attached: readonly string[];
  readonly onChanged: () => Promise<void>;
}

function Editor(
  props: SetProps & { readonly policy: InlinePolicy | undefined; readonly onClose: () => void },
): JSX.Element {
  const { policy } = props;
  const name = useSignal(policy?.name ?? "");
  return (
    <Dialog title={policy === undefined ? "New policy" : policy.name} wide onClose={props.onClose}>
      {policy === undefined ? (
        <Field
          label="Name"
          required
          focus
          value={name.value}
          onInput={(value) => {
            name.value = value;
          }}
        />
      ) : null}
      <DocumentEditor
        label="Policy (JSON)"
        text={policy === undefined ? EMPTY_POLICY : documentText(policy.document)}
        onCheck={async (text) => {
          await api.validatePolicy(JSON.parse(text));
          return "The server would take it.";
        }}
        onSave={async (text) => {
          await api.putInline(props.of, props.name, name.value.trim(), JSON.parse(text));
          await props.onChanged();
          props.onClose();
        }}
      />
    </Dialog>
  );
}

type Run = (run: () => Promise<unknown>) => Promise<void>;

function Rows(
  props: SetProps & { readonly act: Run; readonly onEdit: (policy: InlinePolicy) => void },
): JSX.Element {
  const { of, name, act } = props;
  return (
    <>
      {props.inline.map((policy) => (
        <Row key={policy.name} text={policy.name}>
          <Button label={`Edit ${policy.name}`} onClick={() => props.onEdit(policy)}>
            Edit
          </Button>
          <Button
            kind="bad"
            label={`Delete policy ${policy.name}`}
            onClick={() => act(() => api.deleteInline(of, name, policy.name))}
          >
            Delete
          </Button>
        </Row>
      ))}
      {props.attached.map((policy) => (
        <Row
          key={policy}
          text={
            <>
              {policy} <span class="pill">attached</span>
            </>
          }
        >
          <Button
            label={`Detach ${policy}`}
            onClick={() => act(() => api.detach(of, name, policy))}
          >
            Detach
          </Button>
        </Row>
      ))}
    </>
  );
}

export function PolicySet(props: SetProps): JSX.Element {
  const editing = useSignal<{ readonly policy: InlinePolicy | undefined } | undefined>(undefined);
  const act: Run = async (run) => {
    await attempt(run, "Saved");
    await props.onChanged();
  };
  return (
    <section class="card">
      <div class="head">
        <h2 class="grow">Policies</h2>
        <Button
          onClick={() => {
            editing.value = { policy: undefined };
          }}
        >
          New policy
        </Button>
      </div>
      <Rows
        {...props}
        act={act}
        onEdit={(policy) => {
          editing.value = { policy };
        }}
      />
      <OneLineForm
        label="Attach a managed policy"
        action="Attach"
        onSubmit={(policy) => act(() => api.attach(props.of, props.name, policy))}
      />
      {editing.value === undefined ? null : (
        <Editor
          {...props}
          policy={editing.value.policy}
          onClose={() => {
            editing.value = undefined;
          }}
        />
      )}
    </section>
  );
}
