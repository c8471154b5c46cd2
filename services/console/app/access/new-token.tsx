// Asks for a new access token: a name, how long it lasts, and what it may do.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { api } from "../api.ts";
import { Choice, Field, FormDialog } from "../ui.tsx";
import type { NewSecret } from "./shown-once.tsx";

const LIFETIMES = [
  ["1d", "1 day"],
  ["7d", "7 days"],
  ["30d", "30 days"],
  ["90d", "90 days"],
  ["365d", "1 year"],
  ["", "for ever"],
] as const;
const ACCESS = [
  ["read-write", "read and write"],
  ["read", "read only"],
  ["write", "write only"],
] as const;

function words(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== "");
}

export function NewToken(props: {
  readonly user: string;
  readonly onClose: () => void;
  readonly onDone: (secret: NewSecret) => Promise<void>;
}): JSX.Element {
  const name = useSignal("");
  const expires = useSignal("30d");
  const access = useSignal("read-write");
  const buckets = useSignal("");
  const networks = useSignal("");
  return (
    <FormDialog
      title="Generate token"
      action="Generate token"
      onClose={props.onClose}
      onSubmit={async () => {
        const inBuckets = words(buckets.value);
        const from = words(networks.value);
        const { token } = await api.createToken(props.user, {
          name: name.value.trim(),
          expires: expires.value === "" ? null : expires.value,
          access: access.value,
          ...(inBuckets.length > 0 && { buckets: inBuckets }),
          ...(from.length > 0 && { networks: from }),
        });
        await props.onDone({ kind: "token", token });
      }}
    >
      <Field
        label="Name"
        required
        focus
        hint="What it is for: laptop, backup, ..."
        value={name.value}
        onInput={(value) => {
          name.value = value;
        }}
      />
      <Choice
        label="Lasts"
        value={expires.value}
        options={LIFETIMES}
        onChange={(value) => {
          expires.value = value;
        }}
      />
      <Choice
        label="May"
        value={access.value}
        options={ACCESS}
        onChange={(value) => {
          access.value = value;
        }}
      />
      <Field
        label="Buckets"
        hint="Empty: all that the user may use."
        value={buckets.value}
        onInput={(value) => {
          buckets.value = value;
        }}
      />
      <Field
        label="Networks"
        hint="192.0.2.0/24; empty: from everywhere."
        value={networks.value}
        onInput={(value) => {
          networks.value = value;
        }}
      />
    </FormDialog>
  );
}
