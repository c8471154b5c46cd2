// An address that files can be sent to and nothing can be read from: a signed form (POST policy)
// for one folder, with a limit of size and time.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { api } from "../api.ts";
import { textOf } from "../state.ts";
import { Button, Choice, Copyable, Dialog, Failure, Field } from "../ui.tsx";
import { LIFETIMES, shellWord } from "./share.tsx";

const MEBI = 1024 ** 2;

interface Form {
  readonly url: string;
  readonly fields: Readonly<Record<string, string>>;
}

function curlLine({ url, fields }: Form): string {
  const parts = Object.entries(fields).map(
    ([name, value]) => `  --form-string ${shellWord(`${name}=${value}`)} \\`,
  );
  return ["curl \\", ...parts, "  -F 'file=@FILE' \\", `  ${shellWord(url)}`].join("\n");
}

function attribute(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A page of its own that one may send to whoever shall upload. */
function formPage({ url, fields }: Form): string {
  const inputs = Object.entries(fields).map(
    ([name, value]) =>
      `<input type="hidden" name="${attribute(name)}" value="${attribute(value)}">`,
  );
  return [
    '<!doctype html><meta charset="utf-8"><title>Upload</title>',
    `<form method="post" enctype="multipart/form-data" action="${attribute(url)}">`,
    ...inputs,
    '<p><label>File <input type="file" name="file" required></label>',
    "<button>Upload</button></form>",
    "",
  ].join("\n");
}

function save(form: Form): void {
  const url = URL.createObjectURL(new Blob([formPage(form)], { type: "application/octet-stream" }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = "upload.html";
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export function DropLink(props: {
  readonly bucket: string;
  readonly folder: string;
  readonly onClose: () => void;
}): JSX.Element {
  const { bucket, folder } = props;
  const expires = useSignal("86400");
  const size = useSignal("100");
  const form = useSignal<Form | undefined>(undefined);
  const failure = useSignal("");
  const make = async (): Promise<void> => {
    failure.value = "";
    try {
      const bytesMax = Math.round(Number(size.value) * MEBI);
      const lifetime = Number(expires.value);
      form.value = await api.presignPost({ bucket, prefix: folder, expires: lifetime, bytesMax });
    } catch (error) {
      failure.value = textOf(error);
    }
  };
  return (
    <Dialog title="Upload link" onClose={props.onClose}>
      <p>
        Whoever has it can upload to this folder until it expires, and read nothing. Files keep
        their names; a file of the same name is replaced.
      </p>
      <Choice
        label="Works for"
        value={expires.value}
        options={LIFETIMES}
        onChange={(value) => {
          expires.value = value;
          form.value = undefined;
        }}
      />
      <Field
        label="Largest file, MiB"
        type="number"
        value={size.value}
        onInput={(value) => {
          size.value = value;
          form.value = undefined;
        }}
      />
      <Failure text={failure.value} />
      {form.value === undefined ? (
        <div class="actions">
          <Button kind="main" onClick={make}>
            Make upload link
          </Button>
        </div>
      ) : (
        <>
          <Copyable label="With curl" text={curlLine(form.value)} rows={10} />
          <div class="actions">
            <Button onClick={() => form.value !== undefined && save(form.value)}>
              Save as a web page
            </Button>
          </div>
        </>
      )}
    </Dialog>
  );
}
