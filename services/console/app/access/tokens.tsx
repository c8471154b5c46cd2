// One's own access: keys and tokens, what one holds, and the end of all sessions.
import type { JSX } from "preact";
import { api } from "../api.ts";
import type { User } from "../api-types.ts";
import { bytesText, countText } from "../format.ts";
import { Show, useLoaded } from "../load.tsx";
import { attempt, session } from "../state.ts";
import { Button } from "../ui.tsx";
import { Credentials } from "./credentials.tsx";

/** The root user stands in no directory. */
const NOBODY: User = { name: "root" };

function EndSessions({ name }: { readonly name: string }): JSX.Element {
  return (
    <Button
      kind="bad"
      onClick={async () => {
        if (await attempt(() => api.revokeSessions(name))) session.value = undefined;
      }}
    >
      End all my sessions
    </Button>
  );
}

export function OwnAccess(): JSX.Element {
  const name = session.value?.user ?? "";
  const isRoot = name === "root";
  const loaded = useLoaded(async () => (isRoot ? NOBODY : api.user(name)), [name]);
  return (
    <>
      <div class="head">
        <h1 class="grow">My access</h1>
      </div>
      {isRoot ? (
        <section class="card">
          <p>
            You are the root user, whose keys stand in the configuration of the servers. Make a user
            for yourself to have keys and tokens that can be revoked.
          </p>
          <EndSessions name={name} />
        </section>
      ) : (
        <Show of={loaded}>
          {(user) => (
            <>
              <dl class="facts card">
                <dt>Name</dt>
                <dd>{user.name}</dd>
                <dt>Groups</dt>
                <dd>{user.groups?.join(", ") || "–"}</dd>
                <dt>Holds</dt>
                <dd>
                  {countText(user.usage?.buckets)} buckets, {countText(user.usage?.objects)}{" "}
                  objects, {bytesText(user.usage?.bytes)}
                </dd>
              </dl>
              <Credentials user={user} onChanged={loaded.again} />
              <EndSessions name={name} />
            </>
          )}
        </Show>
      )}
    </>
  );
}
