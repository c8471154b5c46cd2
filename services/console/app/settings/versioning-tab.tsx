// Whether a bucket keeps former versions.
import type { JSX } from "preact";
import { Show, useLoaded } from "../load.tsx";
import { child, getSetting, parseXml, putSetting } from "../s3.ts";
import { attempt } from "../state.ts";
import { Button } from "../ui.tsx";

const TEXTS: Readonly<Record<string, string>> = {
  Enabled: "On: what is overwritten or deleted is kept as a version.",
  Suspended: "Suspended: versions that are there stay, new ones are not made.",
};

async function set(bucket: string, status: string): Promise<void> {
  const text = `<VersioningConfiguration><Status>${status}</Status></VersioningConfiguration>`;
  await putSetting(bucket, "versioning", text);
}

export function VersioningTab({ bucket }: { readonly bucket: string }): JSX.Element {
  const loaded = useLoaded(async () => {
    const text = (await getSetting(bucket, "versioning")) ?? "<none/>";
    return child(parseXml(text), "Status");
  }, [bucket]);
  return (
    <section class="card">
      <h2>Versioning</h2>
      <Show of={loaded}>
        {(status) => (
          <>
            <p>{TEXTS[status] ?? "Off: an object has one version only."}</p>
            <Button
              kind="main"
              onClick={async () => {
                const next = status === "Enabled" ? "Suspended" : "Enabled";
                await attempt(() => set(bucket, next), `Versioning: ${next}`);
                await loaded.again();
              }}
            >
              {status === "Enabled" ? "Suspend versioning" : "Turn versioning on"}
            </Button>
          </>
        )}
      </Show>
    </section>
  );
}
