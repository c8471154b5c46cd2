// Roles: who may become them, for how long, and what they allow.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { api } from "../api.ts";
import type { Role } from "../api-types.ts";
import { timeText } from "../format.ts";
import { Table } from "../list.tsx";
import { Show, useLoaded } from "../load.tsx";
import { DocumentEditor } from "../settings/document-editor.tsx";
import { attempt, go, link } from "../state.ts";
import { Button, Confirm, Dialog, Field } from "../ui.tsx";
import { Boundary } from "./boundary.tsx";
import { NamedList } from "./named-list.tsx";
import { documentText, PolicySet } from "./policy-set.tsx";

const EMPTY_TRUST = JSON.stringify(
  {
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { AWS: "arn:aws:iam:::user/NAME_ORG" },
        Action: "sts:AssumeRole",
      },
    ],
  },
  null,
  2,
);

function TrustEditor(props: {
  readonly text: string;
  readonly onSave: (document: unknown) => Promise<unknown>;
}): JSX.Element {
  return (
    <DocumentEditor
      label="Trust policy (JSON)"
      hint="Who may become this role: users, or accounts of an identity provider."
      text={props.text}
      onCheck={async (text) => {
        await api.validatePolicy(JSON.parse(text), "trust");
        return "The server would take it.";
      }}
      onSave={(text) => props.onSave(JSON.parse(text))}
    />
  );
}

function NewRole({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const name = useSignal("");
  return (
    <Dialog title="New role" wide onClose={onClose}>
      <Field
        label="Name"
        required
        focus
        value={name.value}
        onInput={(value) => {
          name.value = value;
        }}
      />
      <TrustEditor
        text={EMPTY_TRUST}
        onSave={async (trustPolicy) => {
          const made = await api.putRole(name.value.trim(), { trustPolicy });
          onClose();
          go(link("roles", [made.name]));
        }}
      />
    </Dialog>
  );
}

interface SectionProps {
  readonly role: Role;
  readonly onChanged: () => Promise<void>;
}

function Facts({ role, onChanged }: SectionProps): JSX.Element {
  const description = useSignal(role.description ?? "");
  const minutes = useSignal(String((role.sessionSecondsMax ?? 0) / 60));
  const save = async (): Promise<void> => {
    const body = {
      trustPolicy: role.trustPolicy,
      description: description.value,
      sessionSecondsMax: Math.round(Number(minutes.value) * 60),
    };
    await attempt(() => api.putRole(role.name, body), "Saved");
    await onChanged();
  };
  return (
    <section class="card">
      <h2>Role</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <Field
          label="Description"
          value={description.value}
          onInput={(value) => {
            description.value = value;
          }}
        />
        <Field
          label="Longest session, minutes"
          type="number"
          required
          hint="From 15 minutes to 12 hours (720)."
          value={minutes.value}
          onInput={(value) => {
            minutes.value = value;
          }}
        />
        <p class="hint">
          Made {timeText(role.createdAt)}. To become it: <code>arn:aws:iam:::role/{role.name}</code>
        </p>
        <div class="actions">
          <Button type="submit" kind="main">
            Save
          </Button>
        </div>
      </form>
    </section>
  );
}

function One({ name }: { readonly name: string }): JSX.Element {
  const loaded = useLoaded(() => api.role(name), [name]);
  const isDoomed = useSignal(false);
  return (
    <>
      <div class="head">
        <h1 class="grow">Role {name}</h1>
        <a class="button" href={link("roles")}>
          All roles
        </a>
        <Button
          kind="bad"
          onClick={() => {
            isDoomed.value = true;
          }}
        >
          Delete role
        </Button>
      </div>
      <Show of={loaded}>
        {(role) => (
          <>
            <Facts role={role} onChanged={loaded.again} />
            <section class="card">
              <h2>Who may become it</h2>
              <TrustEditor
                text={documentText(role.trustPolicy)}
                onSave={async (trustPolicy) => {
                  await api.putRole(name, { trustPolicy });
                  await loaded.again();
                }}
              />
            </section>
            <PolicySet
              of="roles"
              name={name}
              inline={role.policies ?? []}
              attached={role.attachedPolicies ?? []}
              onChanged={loaded.again}
            />
            <Boundary
              present={role.boundary ?? ""}
              onSave={(boundary) => api.putRole(name, { trustPolicy: role.trustPolicy, boundary })}
              onChanged={loaded.again}
            />
          </>
        )}
      </Show>
      {isDoomed.value ? (
        <Confirm
          title={`Delete role ${name}`}
          text="Sessions of the role end at once."
          action="Delete role"
          onClose={() => {
            isDoomed.value = false;
          }}
          onConfirm={async () => {
            await api.deleteRole(name);
            go(link("roles"));
          }}
        />
      ) : null}
    </>
  );
}

function RoleTable({ roles }: { readonly roles: readonly Role[] }): JSX.Element {
  if (roles.length === 0) return <p class="empty-state">No roles.</p>;
  return (
    <Table card label="Roles" columns={["Name", "Description", "Boundary", "Created"]}>
      {roles.map((role) => (
        <tr key={role.name}>
          <th scope="row">
            <a href={link("roles", [role.name])}>{role.name}</a>
          </th>
          <td>{role.description ?? ""}</td>
          <td>{role.boundary || "–"}</td>
          <td>{timeText(role.createdAt)}</td>
        </tr>
      ))}
    </Table>
  );
}

function All(): JSX.Element {
  return (
    <NamedList
      title="Roles"
      action="New role"
      load={() => api.roles()}
      table={(found) => <RoleTable roles={found} />}
      dialog={(onClose) => <NewRole onClose={onClose} />}
    />
  );
}

export function Roles({ parts }: { readonly parts: readonly string[] }): JSX.Element {
  const [name] = parts;
  return name === undefined ? <All /> : <One key={name} name={name} />;
}
