// A new secret: shown once, with what to do with it. When the dialog is closed it is gone.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { session } from "../state.ts";
import { Button, Choice, Copyable, Dialog } from "../ui.tsx";
import { awsConfig, snippets, TOKEN_SECRET } from "./snippets.ts";

export type NewSecret =
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "key"; readonly accessKeyId: string; readonly secretAccessKey: string };

function save(text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = "config";
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export function ShownOnce(props: {
  readonly secret: NewSecret;
  readonly onClose: () => void;
}): JSX.Element {
  const { secret } = props;
  const chosen = useSignal("~/.aws/config");
  const access = {
    endpoint: session.value?.s3Endpoint ?? "",
    region: session.value?.region ?? "us-east-1",
    accessKeyId: secret.kind === "token" ? secret.token : secret.accessKeyId,
    secretAccessKey: secret.kind === "token" ? TOKEN_SECRET : secret.secretAccessKey,
  };
  const all = snippets(access);
  const shown = all.find(({ name }) => name === chosen.value);
  return (
    <Dialog
      title={secret.kind === "token" ? "New access token" : "New access key"}
      onClose={props.onClose}
      wide
    >
      <p class="warning">It is shown this once only. Copy it now; it cannot be shown again.</p>
      {secret.kind === "token" ? (
        <Copyable label="Token" text={secret.token} />
      ) : (
        <>
          <Copyable label="Access key id" text={secret.accessKeyId} rows={1} />
          <Copyable label="Secret access key" text={secret.secretAccessKey} rows={1} />
        </>
      )}
      <Choice
        label="Settings for"
        value={chosen.value}
        options={all.map(({ name }) => [name, name] as const)}
        onChange={(value) => {
          chosen.value = value;
        }}
      />
      {shown === undefined ? null : (
        <Copyable label={`Settings: ${shown.name}`} text={shown.text} rows={10} />
      )}
      <div class="actions">
        <Button onClick={() => save(awsConfig(access))}>Download ~/.aws/config</Button>
        <Button kind="main" onClick={props.onClose}>
          I have it
        </Button>
      </div>
    </Dialog>
  );
}
