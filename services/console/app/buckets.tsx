// The buckets one may see, with what is in them; making and removing buckets.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { api } from "./api.ts";
import type { Bucket } from "./api-types.ts";
import { bytesText, countText, timeText } from "./format.ts";
import { ListHead, Table } from "./list.tsx";
import { Show, useLoaded } from "./load.tsx";
import { isAdministrator, link, tell } from "./state.ts";
import { Button, Check, Confirm, Field, FormDialog, Icon } from "./ui.tsx";

function BucketRow(props: { readonly bucket: Bucket; readonly onDelete: () => void }): JSX.Element {
  const { bucket } = props;
  return (
    <tr>
      <th scope="row">
        <a href={link("b", [bucket.name])}>
          <Icon name="bucket" /> {bucket.name}
        </a>
      </th>
      {isAdministrator.value ? <td>{bucket.owner}</td> : null}
      <td>
        {bucket.public === true ? <span class="pill warn">public</span> : null}{" "}
        {bucket.versioning === "Enabled" ? <span class="pill">versions</span> : null}
      </td>
      <td class="number">{countText(bucket.usage?.objects)}</td>
      <td class="number">{bytesText(bucket.usage?.bytes)}</td>
      <td>{timeText(bucket.createdAt)}</td>
      <td class="end">
        <a class="button quiet" href={link("settings", [bucket.name, "access"])}>
          Settings<span class="hidden"> of {bucket.name}</span>
        </a>
        <Button kind="quiet" label={`Delete ${bucket.name}`} onClick={props.onDelete}>
          <Icon name="close" />
        </Button>
      </td>
    </tr>
  );
}

function NewBucket(props: {
  readonly onClose: () => void;
  readonly onDone: () => Promise<void>;
}): JSX.Element {
  const name = useSignal("");
  const lock = useSignal(false);
  return (
    <FormDialog
      title="New bucket"
      action="Create"
      onClose={props.onClose}
      onSubmit={async () => {
        await api.createBucket({
          name: name.value.trim(),
          ...(lock.value && { objectLock: true }),
        });
        tell(`${name.value.trim()} is there`);
        props.onClose();
        await props.onDone();
      }}
    >
      <Field
        label="Name"
        required
        focus
        value={name.value}
        hint="3 to 63 characters: lower-case letters, digits, dots and hyphens."
        onInput={(value) => {
          name.value = value;
        }}
      />
      <Check
        label="Object lock (keeps versions from being deleted)"
        checked={lock.value}
        onChange={(checked) => {
          lock.value = checked;
        }}
      />
    </FormDialog>
  );
}

function BucketTable(props: {
  readonly buckets: readonly Bucket[];
  readonly onDelete: (name: string) => void;
}): JSX.Element {
  if (props.buckets.length === 0) return <p class="empty-state">No buckets yet.</p>;
  return (
    <Table
      card
      label="Buckets"
      columns={[
        "Name",
        ...(isAdministrator.value ? ["Owner"] : []),
        "Kind",
        ["Objects", "number"],
        ["Size", "number"],
        "Created",
        ["Actions", "actions"],
      ]}
    >
      {props.buckets.map((bucket) => (
        <BucketRow key={bucket.name} bucket={bucket} onDelete={() => props.onDelete(bucket.name)} />
      ))}
    </Table>
  );
}

export function Buckets(): JSX.Element {
  const loaded = useLoaded(() => api.buckets(), []);
  const isMaking = useSignal(false);
  const doomed = useSignal("");
  const filter = useSignal("");
  return (
    <>
      <ListHead
        title="Buckets"
        action="New bucket"
        filter={{ label: "Name contains", text: filter }}
        onAction={() => {
          isMaking.value = true;
        }}
      />
      <Show of={loaded}>
        {(buckets) => (
          <BucketTable
            buckets={buckets.filter((bucket) => bucket.name.includes(filter.value.trim()))}
            onDelete={(name) => {
              doomed.value = name;
            }}
          />
        )}
      </Show>
      {isMaking.value ? (
        <NewBucket
          onDone={loaded.again}
          onClose={() => {
            isMaking.value = false;
          }}
        />
      ) : null}
      {doomed.value === "" ? null : (
        <Confirm
          title={`Delete ${doomed.value}`}
          text="Only a bucket without objects and versions can be deleted."
          action="Delete bucket"
          name={doomed.value}
          onClose={() => {
            doomed.value = "";
          }}
          onConfirm={async () => {
            await api.deleteBucket(doomed.value);
            await loaded.again();
          }}
        />
      )}
    </>
  );
}
