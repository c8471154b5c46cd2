// Managed policies, and the question who may do what, with the reason.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { api } from "../api.ts";
import type { ManagedPolicy, PolicyCheck } from "../api-types.ts";
import { ListHead, Row } from "../list.tsx";
import { Show, useLoaded } from "../load.tsx";
import { DocumentEditor } from "../settings/document-editor.tsx";
import { textOf } from "../state.ts";
import { Button, Confirm, Dialog, Failure, Field } from "../ui.tsx";
import { documentText, EMPTY_POLICY } from "./policy-set.tsx";

function Editor(props: {
  readonly policy: ManagedPolicy | undefined;
  readonly onClose: () => void;
  readonly onChanged: () => Promise<void>;
}): JSX.Element {
  const { policy } = props;
  const name = useSignal(policy?.name ?? "");
  const description = useSignal(policy?.description ?? "");
  return (
    <Dialog title={policy?.name ?? "New policy"} wide onClose={props.onClose}>
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
      <Field
        label="Description"
        value={description.value}
        onInput={(value) => {
          description.value = value;
        }}
      />
      <DocumentEditor
        label="Policy (JSON)"
        text={policy?.document === undefined ? EMPTY_POLICY : documentText(policy.document)}
        onCheck={async (text) => {
          await api.validatePolicy(JSON.parse(text));
          return "The server would take it.";
        }}
        onSave={async (text) => {
          await api.putPolicy(name.value.trim(), JSON.parse(text), description.value);
          await props.onChanged();
          props.onClose();
        }}
      />
    </Dialog>
  );
}

function Checker(): JSX.Element {
  const user = useSignal("");
  const action = useSignal("s3:GetObject");
  const resource = useSignal("");
  const answer = useSignal<PolicyCheck | undefined>(undefined);
  const failure = useSignal("");
  const fields = [
    ["User", user],
    ["Action", action],
    ["Resource (arn:aws:s3:::bucket/key)", resource],
  ] as const;
  return (
    <section class="card">
      <h2>May he?</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          failure.value = "";
          answer.value = undefined;
          const asked = { user: user.value, action: action.value, resource: resource.value };
          api.checkPolicy(asked).then(
            (found) => {
              answer.value = found;
            },
            (error: unknown) => {
              failure.value = textOf(error);
            },
          );
        }}
      >
        {fields.map(([label, value]) => (
          <Field
            key={label}
            label={label}
            required
            value={value.value}
            onInput={(text) => {
              value.value = text;
            }}
          />
        ))}
        <Failure text={failure.value} />
        <div aria-live="polite">
          {answer.value === undefined ? null : (
            <p class={answer.value.allowed ? "good-note" : "failure"}>
              {answer.value.allowed ? "Allowed" : "Denied"}: {answer.value.explanation ?? ""}
            </p>
          )}
        </div>
        <div class="actions">
          <Button type="submit" kind="main">
            Check
          </Button>
        </div>
      </form>
    </section>
  );
}

function ManagedList(props: {
  readonly policies: readonly ManagedPolicy[];
  readonly onEdit: (policy: ManagedPolicy) => void;
  readonly onDelete: (name: string) => void;
}): JSX.Element {
  return (
    <section class="card">
      <h2>Managed policies</h2>
      {props.policies.length === 0 ? <p class="soft">None.</p> : null}
      {props.policies.map((policy) => (
        <Row
          key={policy.name}
          text={
            <>
              <strong>{policy.name}</strong> <span class="soft">{policy.description ?? ""}</span>
            </>
          }
        >
          <Button label={`Edit ${policy.name}`} onClick={() => props.onEdit(policy)}>
            Edit
          </Button>
          <Button
            kind="bad"
            label={`Delete ${policy.name}`}
            onClick={() => props.onDelete(policy.name)}
          >
            Delete
          </Button>
        </Row>
      ))}
    </section>
  );
}

export function Policies(): JSX.Element {
  const loaded = useLoaded(() => api.policies(), []);
  const editing = useSignal<{ readonly policy: ManagedPolicy | undefined } | undefined>(undefined);
  const doomed = useSignal("");
  return (
    <>
      <ListHead
        title="Policies"
        action="New policy"
        onAction={() => {
          editing.value = { policy: undefined };
        }}
      />
      <Show of={loaded}>
        {(policies) => (
          <ManagedList
            policies={policies}
            onEdit={(policy) => {
              editing.value = { policy };
            }}
            onDelete={(name) => {
              doomed.value = name;
            }}
          />
        )}
      </Show>
      <Checker />
      {editing.value === undefined ? null : (
        <Editor
          policy={editing.value.policy}
          onChanged={loaded.again}
          onClose={() => {
            editing.value = undefined;
          }}
        />
      )}
      {doomed.value === "" ? null : (
        <Confirm
          title={`Delete policy ${doomed.value}`}
          text="Users and groups it is attached to lose what it allowed."
          action="Delete policy"
          onClose={() => {
            doomed.value = "";
          }}
          onConfirm={async () => {
            await api.deletePolicy(doomed.value);
            await loaded.again();
          }}
        />
      )}
    </>
  );
}
