// One user: state, limits, groups, policies, and what he proves himself by.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { api } from "../api.ts";
import type { User } from "../api-types.ts";
import { bytesText, countText, timeText } from "../format.ts";
import { Show, useLoaded } from "../load.tsx";
import { attempt, go, link } from "../state.ts";
import { Button, Check, Confirm, Field } from "../ui.tsx";
import { Boundary } from "./boundary.tsx";
import { Credentials } from "./credentials.tsx";
import { PolicySet } from "./policy-set.tsx";

const GIBI = 1024 ** 3;

interface SectionProps {
  readonly user: User;
  readonly onChanged: () => Promise<void>;
}

function Facts({ user, onChanged }: SectionProps): JSX.Element {
  const isDoomed = useSignal(false);
  const change = async (body: Parameters<typeof api.changeUser>[1]): Promise<void> => {
    await attempt(() => api.changeUser(user.name, body), "Saved");
    await onChanged();
  };
  return (
    <section class="card">
      <h2>Account</h2>
      <dl class="facts">
        <dt>Display name</dt>
        <dd>{user.displayName || "–"}</dd>
        <dt>E-mail</dt>
        <dd>{user.email || "–"}</dd>
        <dt>Created</dt>
        <dd>{timeText(user.createdAt)}</dd>
        <dt>Holds</dt>
        <dd>
          {countText(user.usage?.buckets)} buckets, {countText(user.usage?.objects)} objects,{" "}
          {bytesText(user.usage?.bytes)}
        </dd>
      </dl>
      <p />
      <Check
        label="Disabled: nothing of this user works"
        checked={user.disabled === true}
        onChange={(disabled) => void change({ disabled })}
      />
      <Check
        label="Administrator: may do everything"
        checked={user.administrator === true}
        onChange={(administrator) => void change({ administrator })}
      />
      <div class="actions">
        <Button
          onClick={() => attempt(() => api.revokeSessions(user.name), "All sessions have ended")}
        >
          End sessions
        </Button>
        <Button
          kind="bad"
          onClick={() => {
            isDoomed.value = true;
          }}
        >
          Delete user
        </Button>
      </div>
      {isDoomed.value ? (
        <Confirm
          title={`Delete ${user.name}`}
          text="Keys and tokens stop working at once. Buckets of the user stay."
          action="Delete user"
          name={user.name}
          onClose={() => {
            isDoomed.value = false;
          }}
          onConfirm={async () => {
            await api.deleteUser(user.name);
            go(link("users"));
          }}
        />
      ) : null}
    </section>
  );
}

function Limits({ user, onChanged }: SectionProps): JSX.Element {
  const { limits = {} } = user;
  const shown = (value: number | undefined, unit = 1): string =>
    value === undefined || value === 0 ? "" : String(value / unit);
  const gibi = useSignal(shown(limits.bytesMax, GIBI));
  const objects = useSignal(shown(limits.objectsMax));
  const buckets = useSignal(shown(limits.bucketsMax));
  const requests = useSignal(shown(limits.requestsPerSecond));
  const fields = [
    ["Size, GiB", gibi],
    ["Objects", objects],
    ["Buckets", buckets],
    ["Requests a second", requests],
  ] as const;
  const save = async (): Promise<void> => {
    const next = {
      bytesMax: Math.round(Number(gibi.value) * GIBI),
      objectsMax: Math.round(Number(objects.value)),
      bucketsMax: Math.round(Number(buckets.value)),
      requestsPerSecond: Math.round(Number(requests.value)),
    };
    await attempt(() => api.changeUser(user.name, { limits: next }), "Limits saved");
    await onChanged();
  };
  return (
    <section class="card">
      <h2>Limits</h2>
      <p class="hint">Empty: no limit.</p>
      {fields.map(([label, value]) => (
        <Field
          key={label}
          label={label}
          type="number"
          value={value.value}
          onInput={(text) => {
            value.value = text;
          }}
        />
      ))}
      <div class="actions">
        <Button kind="main" onClick={save}>
          Save limits
        </Button>
      </div>
    </section>
  );
}

export function UserPage({ parts }: { readonly parts: readonly string[] }): JSX.Element {
  const name = parts[0] ?? "";
  const loaded = useLoaded(() => api.user(name), [name]);
  return (
    <>
      <div class="head">
        <h1 class="grow">{name}</h1>
        <a class="button" href={link("users")}>
          All users
        </a>
      </div>
      <Show of={loaded}>
        {(user) => (
          <>
            <div class="cards">
              <Facts user={user} onChanged={loaded.again} />
              <Limits user={user} onChanged={loaded.again} />
            </div>
            <p />
            <PolicySet
              of="users"
              name={name}
              inline={user.policies ?? []}
              attached={user.attachedPolicies ?? []}
              onChanged={loaded.again}
            />
            <Boundary
              present={user.boundary ?? ""}
              onSave={(boundary) => api.changeUser(name, { boundary })}
              onChanged={loaded.again}
            />
            <Credentials user={user} onChanged={loaded.again} />
          </>
        )}
      </Show>
    </>
  );
}
