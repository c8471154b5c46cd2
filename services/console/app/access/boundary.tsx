// The permissions boundary of a user or a role: the one managed policy that bounds what all its
// other policies may allow.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { api } from "../api.ts";
import { Show, useLoaded } from "../load.tsx";
import { attempt } from "../state.ts";
import { Button, Choice } from "../ui.tsx";

function Pick(props: {
  readonly present: string;
  readonly policies: readonly string[];
  readonly onSave: (policy: string) => Promise<unknown>;
}): JSX.Element {
  const { present } = props;
  const chosen = useSignal(present);
  const options = [["", "none"], ...props.policies.map((name) => [name, name])] as const;
  return (
    <form
      class="tools"
      onSubmit={(event) => {
        event.preventDefault();
        void props.onSave(chosen.value);
      }}
    >
      <div class="inline-field">
        <Choice
          label="Managed policy"
          value={chosen.value}
          options={options.map(([value = "", text = ""]) => [value, text] as const)}
          onChange={(value) => {
            chosen.value = value;
          }}
        />
      </div>
      <Button type="submit" disabled={chosen.value === present}>
        Save boundary
      </Button>
    </form>
  );
}

export function Boundary(props: {
  /** Name of the policy; empty: none. */
  readonly present: string;
  readonly onSave: (policy: string) => Promise<unknown>;
  readonly onChanged: () => Promise<void>;
}): JSX.Element {
  const loaded = useLoaded(async () => (await api.policies()).map(({ name }) => name), []);
  return (
    <section class="card">
      <h2>Permissions boundary</h2>
      <p class="hint">
        What this policy does not allow is denied, whatever the other policies say. Alone it allows
        nothing.
      </p>
      <Show of={loaded}>
        {(policies) => (
          <Pick
            key={props.present}
            present={props.present}
            policies={policies}
            onSave={async (policy) => {
              await attempt(() => props.onSave(policy), "Boundary saved");
              await props.onChanged();
            }}
          />
        )}
      </Show>
    </section>
  );
}
