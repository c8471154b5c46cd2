// How much a bucket may hold, and how much it does.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { api } from "../api.ts";
import type { Bucket } from "../api-types.ts";
import { bytesText, countText } from "../format.ts";
import { Show, useLoaded } from "../load.tsx";
import { attempt, isAdministrator } from "../state.ts";
import { Button, Field, Meter } from "../ui.tsx";

const GIBI = 1024 ** 3;

function Form(props: {
  readonly facts: Bucket;
  readonly onDone: () => Promise<void>;
}): JSX.Element {
  const { facts } = props;
  const bytesMax = facts.quota?.bytes ?? 0;
  const objectsMax = facts.quota?.objects ?? 0;
  const gibi = useSignal(bytesMax === 0 ? "" : String(bytesMax / GIBI));
  const objects = useSignal(objectsMax === 0 ? "" : String(objectsMax));
  const used = facts.usage?.bytes ?? 0;
  const count = facts.usage?.objects ?? 0;
  const save = async (): Promise<void> => {
    const quota = {
      bytes: Math.round(Number(gibi.value) * GIBI),
      objects: Math.round(Number(objects.value)),
    };
    await attempt(() => api.changeBucket(facts.name, { quota }), "Quota saved");
    await props.onDone();
  };
  return (
    <>
      {bytesMax > 0 ? (
        <Meter
          label="Bytes of the quota"
          value={used / bytesMax}
          text={`${bytesText(used)} of ${bytesText(bytesMax)}`}
        />
      ) : null}
      {objectsMax > 0 ? (
        <Meter
          label="Objects of the quota"
          value={count / objectsMax}
          text={`${countText(count)} of ${countText(objectsMax)} objects`}
        />
      ) : null}
      {isAdministrator.value ? (
        <>
          <Field
            label="Size, GiB"
            type="number"
            hint="Empty: no limit."
            value={gibi.value}
            onInput={(value) => {
              gibi.value = value;
            }}
          />
          <Field
            label="Objects"
            type="number"
            hint="Empty: no limit."
            value={objects.value}
            onInput={(value) => {
              objects.value = value;
            }}
          />
          <div class="actions">
            <Button kind="main" onClick={save}>
              Save quota
            </Button>
          </div>
        </>
      ) : (
        <p class="soft">Administrators set it.</p>
      )}
    </>
  );
}

export function QuotaTab({ bucket }: { readonly bucket: string }): JSX.Element {
  const loaded = useLoaded(() => api.bucket(bucket), [bucket]);
  return (
    <section class="card">
      <h2>Quota</h2>
      <Show of={loaded}>
        {(facts) => (
          <Form key={JSON.stringify(facts.quota ?? {})} facts={facts} onDone={loaded.again} />
        )}
      </Show>
    </section>
  );
}
