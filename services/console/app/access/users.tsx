// All users, and how to make one.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { api } from "../api.ts";
import type { User } from "../api-types.ts";
import { bytesText, timeText } from "../format.ts";
import { ListHead, Table } from "../list.tsx";
import { Show, useLoaded } from "../load.tsx";
import { go, link } from "../state.ts";
import { Check, Field, FormDialog } from "../ui.tsx";

const ROWS_MAX = 500;

function NewUser({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const name = useSignal("");
  const displayName = useSignal("");
  const email = useSignal("");
  const administrator = useSignal(false);
  return (
    <FormDialog
      title="New user"
      action="Create"
      onClose={onClose}
      onSubmit={async () => {
        const made = await api.createUser({
          name: name.value.trim(),
          ...(displayName.value && { displayName: displayName.value }),
          ...(email.value && { email: email.value }),
          ...(administrator.value && { administrator: true }),
          withoutKey: true,
        });
        onClose();
        go(link("user", [made.name]));
      }}
    >
      <Field
        label="Name"
        required
        focus
        hint="name_org in lower case; it cannot be changed later."
        value={name.value}
        onInput={(value) => {
          name.value = value;
        }}
      />
      <Field
        label="Display name"
        value={displayName.value}
        onInput={(value) => {
          displayName.value = value;
        }}
      />
      <Field
        label="E-mail"
        type="email"
        value={email.value}
        onInput={(value) => {
          email.value = value;
        }}
      />
      <Check
        label="Administrator"
        checked={administrator.value}
        onChange={(checked) => {
          administrator.value = checked;
        }}
      />
    </FormDialog>
  );
}

function UserTable({ users }: { readonly users: readonly User[] }): JSX.Element {
  if (users.length === 0) return <p class="empty-state">No users.</p>;
  return (
    <Table
      card
      label="Users"
      columns={["Name", "Display name", "State", "Groups", ["Holds", "number"], "Created"]}
    >
      {users.slice(0, ROWS_MAX).map((user) => (
        <tr key={user.name}>
          <th scope="row">
            <a href={link("user", [user.name])}>{user.name}</a>
          </th>
          <td>{user.displayName ?? ""}</td>
          <td>
            {user.disabled === true ? (
              <span class="pill bad">disabled</span>
            ) : (
              <span class="pill good">active</span>
            )}{" "}
            {user.administrator === true ? <span class="pill warn">administrator</span> : null}
          </td>
          <td>{user.groups?.join(", ") ?? ""}</td>
          <td class="number">{bytesText(user.usage?.bytes)}</td>
          <td>{timeText(user.createdAt)}</td>
        </tr>
      ))}
    </Table>
  );
}

export function Users(): JSX.Element {
  const loaded = useLoaded(() => api.users(), []);
  const isMaking = useSignal(false);
  const filter = useSignal("");
  const fits = (user: User): boolean =>
    `${user.name} ${user.displayName ?? ""} ${user.email ?? ""}`.includes(filter.value.trim());
  return (
    <>
      <ListHead
        title="Users"
        action="New user"
        filter={{ label: "Contains", text: filter }}
        onAction={() => {
          isMaking.value = true;
        }}
      />
      <Show of={loaded}>{(users) => <UserTable users={users.filter(fits)} />}</Show>
      {isMaking.value ? (
        <NewUser
          onClose={() => {
            isMaking.value = false;
          }}
        />
      ) : null}
    </>
  );
}
