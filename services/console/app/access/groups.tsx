// Groups: who belongs to them and what that allows.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { api } from "../api.ts";
import type { Group } from "../api-types.ts";
import { OneLineForm, Row, Table } from "../list.tsx";
import { Show, useLoaded } from "../load.tsx";
import { attempt, go, link } from "../state.ts";
import { Button, Confirm, Field, FormDialog } from "../ui.tsx";
import { NamedList } from "./named-list.tsx";
import { PolicySet } from "./policy-set.tsx";

function NewGroup({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const name = useSignal("");
  return (
    <FormDialog
      title="New group"
      action="Create"
      onClose={onClose}
      onSubmit={async () => {
        await api.createGroup(name.value.trim());
        onClose();
        go(link("groups", [name.value.trim()]));
      }}
    >
      <Field
        label="Name"
        required
        focus
        value={name.value}
        onInput={(value) => {
          name.value = value;
        }}
      />
    </FormDialog>
  );
}

function Members(props: {
  readonly group: Group;
  readonly onChanged: () => Promise<void>;
}): JSX.Element {
  const { group } = props;
  const act = async (run: () => Promise<unknown>): Promise<void> => {
    await attempt(run, "Saved");
    await props.onChanged();
  };
  return (
    <section class="card">
      <h2>Members</h2>
      {(group.members ?? []).map((member) => (
        <Row key={member} text={<a href={link("user", [member])}>{member}</a>}>
          <Button
            label={`Remove ${member}`}
            onClick={() => act(() => api.removeMember(group.name, member))}
          >
            Remove
          </Button>
        </Row>
      ))}
      <OneLineForm
        label="Add a user"
        action="Add"
        onSubmit={(user) => act(() => api.addMember(group.name, user))}
      />
    </section>
  );
}

function One({ name }: { readonly name: string }): JSX.Element {
  const loaded = useLoaded(() => api.group(name), [name]);
  const isDoomed = useSignal(false);
  return (
    <>
      <div class="head">
        <h1 class="grow">Group {name}</h1>
        <a class="button" href={link("groups")}>
          All groups
        </a>
        <Button
          kind="bad"
          onClick={() => {
            isDoomed.value = true;
          }}
        >
          Delete group
        </Button>
      </div>
      <Show of={loaded}>
        {(group) => (
          <>
            <Members group={group} onChanged={loaded.again} />
            <PolicySet
              of="groups"
              name={name}
              inline={group.policies ?? []}
              attached={group.attachedPolicies ?? []}
              onChanged={loaded.again}
            />
          </>
        )}
      </Show>
      {isDoomed.value ? (
        <Confirm
          title={`Delete group ${name}`}
          text="Its members lose what the group allowed."
          action="Delete group"
          onClose={() => {
            isDoomed.value = false;
          }}
          onConfirm={async () => {
            await api.deleteGroup(name);
            go(link("groups"));
          }}
        />
      ) : null}
    </>
  );
}

function GroupTable({ groups }: { readonly groups: readonly Group[] }): JSX.Element {
  if (groups.length === 0) return <p class="empty-state">No groups.</p>;
  return (
    <Table card label="Groups" columns={["Name", ["Members", "number"], "Policies"]}>
      {groups.map(({ name, members = [], policies = [], attachedPolicies = [] }) => (
        <tr key={name}>
          <th scope="row">
            <a href={link("groups", [name])}>{name}</a>
          </th>
          <td class="number">{members.length}</td>
          <td>{[...policies.map((policy) => policy.name), ...attachedPolicies].join(", ")}</td>
        </tr>
      ))}
    </Table>
  );
}

function All(): JSX.Element {
  return (
    <NamedList
      title="Groups"
      action="New group"
      load={() => api.groups()}
      table={(found) => <GroupTable groups={found} />}
      dialog={(onClose) => <NewGroup onClose={onClose} />}
    />
  );
}

export function Groups({ parts }: { readonly parts: readonly string[] }): JSX.Element {
  const [name] = parts;
  return name === undefined ? <All /> : <One key={name} name={name} />;
}
