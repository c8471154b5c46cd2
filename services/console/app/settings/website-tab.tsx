// A bucket as a web site: which object answers for a folder, and which for errors.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { Show, useLoaded } from "../load.tsx";
import { deleteSetting, escapeXml, getSetting, parseXml, putSetting } from "../s3.ts";
import { tell } from "../state.ts";
import { Button, Field } from "../ui.tsx";
import { DocumentEditor } from "./document-editor.tsx";
import { deep } from "./rule-documents.ts";

function Form(props: {
  readonly text: string;
  readonly onSave: (text: string) => Promise<void>;
}): JSX.Element {
  const root = props.text === "" ? undefined : parseXml(props.text);
  const index = useSignal(root === undefined ? "index.html" : deep(root, "Suffix"));
  const error = useSignal(root === undefined ? "" : deep(root, "Key"));
  const save = async (): Promise<void> => {
    const suffix = `<IndexDocument><Suffix>${escapeXml(index.value)}</Suffix></IndexDocument>`;
    const key = escapeXml(error.value);
    const errors = key === "" ? "" : `<ErrorDocument><Key>${key}</Key></ErrorDocument>`;
    await props.onSave(`<WebsiteConfiguration>${suffix}${errors}</WebsiteConfiguration>`);
  };
  return (
    <>
      <Field
        label="Index document"
        value={index.value}
        onInput={(value) => {
          index.value = value;
        }}
      />
      <Field
        label="Error document"
        hint="May be empty."
        value={error.value}
        onInput={(value) => {
          error.value = value;
        }}
      />
      <div class="actions">
        <Button kind="main" onClick={save}>
          {root === undefined ? "Make it a web site" : "Save web site"}
        </Button>
      </div>
    </>
  );
}

export function WebsiteTab({ bucket }: { readonly bucket: string }): JSX.Element {
  const loaded = useLoaded(async () => (await getSetting(bucket, "website")) ?? "", [bucket]);
  const save = async (text: string): Promise<void> => {
    await putSetting(bucket, "website", text);
    tell("Web site saved");
    await loaded.again();
  };
  return (
    <Show of={loaded}>
      {(text) => (
        <>
          <section class="card">
            <h2>Web site</h2>
            <Form key={text} text={text} onSave={save} />
          </section>
          <section class="card">
            <h2>As XML</h2>
            <DocumentEditor
              key={text}
              label="WebsiteConfiguration (XML)"
              text={text}
              onSave={save}
              onDelete={async () => {
                await deleteSetting(bucket, "website");
                await loaded.again();
              }}
            />
          </section>
        </>
      )}
    </Show>
  );
}
