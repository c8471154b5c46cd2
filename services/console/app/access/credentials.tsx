// What one user proves himself by: access keys and tokens, made, rotated, switched off and revoked,
// and client certificates.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { api } from "../api.ts";
import type { Key, Token, User } from "../api-types.ts";
import { timeText } from "../format.ts";
import { Table } from "../list.tsx";
import { session, tell } from "../state.ts";
import { Button, Confirm } from "../ui.tsx";
import { Certificates } from "./certificates.tsx";
import { NewToken } from "./new-token.tsx";
import { type NewSecret, ShownOnce } from "./shown-once.tsx";

const OVERLAP = "24h";

function tokenIdOf(token: Token): string {
  return token.tokenId ?? token.id ?? "";
}

function scopeOf(token: Token): string {
  const parts = [token.access ?? "read-write"];
  if ((token.buckets?.length ?? 0) > 0) parts.push(`in ${token.buckets?.join(", ")}`);
  if ((token.networks?.length ?? 0) > 0) parts.push(`from ${token.networks?.join(", ")}`);
  return parts.join(" ");
}

interface Doomed {
  readonly title: string;
  readonly text: string;
  readonly act: () => Promise<unknown>;
}

interface SectionProps {
  readonly user: User;
  readonly onChanged: () => Promise<void>;
  readonly onSecret: (secret: NewSecret) => void;
  readonly onDoom: (doomed: Doomed) => void;
}

function KeyRow(props: SectionProps & { readonly item: Key }): JSX.Element {
  const { user, item, onChanged } = props;
  const id = item.accessKeyId;
  const isOff = item.disabled === true;
  return (
    <tr>
      <th scope="row" class="mono">
        {id}
      </th>
      <td>
        {isOff ? <span class="pill bad">off</span> : <span class="pill good">on</span>}{" "}
        {item.description ?? ""}
      </td>
      <td>{timeText(item.createdAt)}</td>
      <td>{timeText(item.lastUsedAt)}</td>
      <td class="end">
        <Button
          label={`${isOff ? "Switch on" : "Switch off"} ${id}`}
          onClick={async () => {
            await api.changeKey(user.name, id, { disabled: !isOff });
            await onChanged();
          }}
        >
          {isOff ? "Switch on" : "Switch off"}
        </Button>
        <Button
          kind="bad"
          label={`Delete ${id}`}
          onClick={() =>
            props.onDoom({
              title: `Delete ${id}`,
              text: "Whatever uses this key stops working at once.",
              act: () => api.deleteKey(user.name, id),
            })
          }
        >
          Delete
        </Button>
      </td>
    </tr>
  );
}

function Keys(props: SectionProps): JSX.Element {
  const keys = props.user.keys ?? [];
  return (
    <section class="card">
      <div class="head">
        <h2 class="grow">Access keys</h2>
        <Button
          onClick={async () => {
            const made = await api.createKey(props.user.name, {});
            const { accessKeyId, secretAccessKey } = made;
            props.onSecret({ kind: "key", accessKeyId, secretAccessKey });
            await props.onChanged();
          }}
        >
          New access key
        </Button>
      </div>
      {keys.length === 0 ? (
        <p class="soft">None.</p>
      ) : (
        <Table
          label="Access keys"
          columns={["Id", "State", "Created", "Last used", ["Actions", "actions"]]}
        >
          {keys.map((item) => (
            <KeyRow key={item.accessKeyId} {...props} item={item} />
          ))}
        </Table>
      )}
    </section>
  );
}

function TokenRow(props: SectionProps & { readonly item: Token }): JSX.Element {
  const { user, item, onChanged } = props;
  const id = tokenIdOf(item);
  return (
    <tr>
      <th scope="row">
        {item.name} {item.disabled === true ? <span class="pill bad">off</span> : null}
      </th>
      <td>{scopeOf(item)}</td>
      <td>{item.expiresAt ? timeText(item.expiresAt) : "never"}</td>
      <td>{timeText(item.lastUsedAt)}</td>
      <td class="end">
        <Button
          label={`Rotate ${item.name}`}
          onClick={async () => {
            const { token } = await api.rotateToken(user.name, id, OVERLAP);
            props.onSecret({ kind: "token", token });
            tell("The former token works for 24 hours more");
            await onChanged();
          }}
        >
          Rotate
        </Button>
        <Button
          kind="bad"
          label={`Revoke ${item.name}`}
          onClick={() =>
            props.onDoom({
              title: `Revoke ${item.name}`,
              text: "Whatever uses this token stops working at once.",
              act: () => api.deleteToken(user.name, id),
            })
          }
        >
          Revoke
        </Button>
      </td>
    </tr>
  );
}

function Tokens(props: SectionProps): JSX.Element {
  const isMaking = useSignal(false);
  const tokens = props.user.tokens ?? [];
  return (
    <section class="card">
      <div class="head">
        <h2 class="grow">Access tokens</h2>
        <Button
          kind="main"
          onClick={() => {
            isMaking.value = true;
          }}
        >
          Generate token
        </Button>
      </div>
      <p class="hint">
        A token is given to clients as the access key, with any secret. Use it over HTTPS only.
      </p>
      {session.value?.features?.tokens === false ? (
        <p class="warning">Tokens are switched off on this server (identity.tokens).</p>
      ) : null}
      {tokens.length === 0 ? (
        <p class="soft">None.</p>
      ) : (
        <Table
          label="Access tokens"
          columns={["Name", "May", "Expires", "Last used", ["Actions", "actions"]]}
        >
          {tokens.map((item) => (
            <TokenRow key={tokenIdOf(item)} {...props} item={item} />
          ))}
        </Table>
      )}
      {isMaking.value ? (
        <NewToken
          user={props.user.name}
          onClose={() => {
            isMaking.value = false;
          }}
          onDone={async (secret) => {
            isMaking.value = false;
            props.onSecret(secret);
            await props.onChanged();
          }}
        />
      ) : null}
    </section>
  );
}

export function Credentials(props: {
  readonly user: User;
  readonly onChanged: () => Promise<void>;
}): JSX.Element {
  const secret = useSignal<NewSecret | undefined>(undefined);
  const doomed = useSignal<Doomed | undefined>(undefined);
  const section: SectionProps = {
    ...props,
    onSecret: (made) => {
      secret.value = made;
    },
    onDoom: (next) => {
      doomed.value = next;
    },
  };
  return (
    <>
      <Tokens {...section} />
      <Keys {...section} />
      <Certificates user={props.user} onChanged={props.onChanged} />
      {secret.value === undefined ? null : (
        <ShownOnce
          secret={secret.value}
          onClose={() => {
            secret.value = undefined;
          }}
        />
      )}
      {doomed.value === undefined ? null : (
        <Confirm
          title={doomed.value.title}
          text={doomed.value.text}
          action="Go on"
          onClose={() => {
            doomed.value = undefined;
          }}
          onConfirm={async () => {
            await doomed.value?.act();
            await props.onChanged();
          }}
        />
      )}
    </>
  );
}
