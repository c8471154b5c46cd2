// What can be done with an object or a place: the dialog for each, one at a time.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { ApiError } from "../api.ts";
import { keyText } from "../format.ts";
import {
  copyObject,
  deleteObject,
  keysBelow,
  type ListedObject,
  listVersions,
  s3Fetch,
} from "../s3.ts";
import { tell } from "../state.ts";
import { Button, Check, Dialog, Field, FormDialog, Icon } from "../ui.tsx";
import { download } from "./download.ts";
import { DropLink } from "./drop-link.tsx";
import { Preview } from "./preview.tsx";
import { Share } from "./share.tsx";

export type Acting =
  | {
      readonly kind: "open" | "actions" | "share" | "rename" | "copy";
      readonly item: ListedObject;
    }
  | { readonly kind: "delete"; readonly items: readonly ListedObject[] }
  | { readonly kind: "folder" | "drop-link"; readonly folder: string };

interface ActProps {
  readonly bucket: string;
  readonly folder: string;
  readonly acting: Acting | undefined;
  readonly onAct: (acting: Acting | undefined) => void;
  readonly onChanged: () => void;
}

const DELETES_AT_ONCE = 6;
const RENAME_OTHERWISE: ReadonlySet<string> = new Set(["InvalidBucketState", "NotImplemented"]);

export function Act(props: ActProps): JSX.Element | null {
  const { acting, bucket } = props;
  const close = (): void => props.onAct(undefined);
  if (acting === undefined) return null;
  switch (acting.kind) {
    case "open":
      return <Preview bucket={bucket} item={acting.item} onAct={props.onAct} onClose={close} />;
    case "actions":
      return <Actions {...props} item={acting.item} />;
    case "share":
      return <Share bucket={bucket} item={acting.item} onClose={close} />;
    case "rename":
    case "copy":
      return <CopyDialog {...props} item={acting.item} isMove={acting.kind === "rename"} />;
    case "delete":
      return <DeleteDialog {...props} items={acting.items} />;
    case "folder":
      return <NewFolder {...props} />;
    default:
      return <DropLink bucket={bucket} folder={acting.folder} onClose={close} />;
  }
}

function Actions(props: ActProps & { readonly item: ListedObject }): JSX.Element {
  const { item, bucket, onAct } = props;
  const hasBody = !item.isFolder && item.isMarker !== true;
  const to = (kind: "open" | "share" | "rename" | "copy") => () => onAct({ kind, item });
  return (
    <Dialog title={keyText(item.key)} onClose={() => onAct(undefined)}>
      <div class="row">
        {hasBody ? (
          <>
            <Button onClick={to("open")}>Preview</Button>
            <Button onClick={() => download(bucket, item)}>
              <Icon name="down" /> Download
            </Button>
            <Button onClick={to("share")}>Share</Button>
            <Button onClick={to("rename")}>Rename</Button>
            <Button onClick={to("copy")}>
              {item.versionId === undefined ? "Copy" : "Restore"}
            </Button>
          </>
        ) : null}
        <Button kind="bad" onClick={() => onAct({ kind: "delete", items: [item] })}>
          {item.isMarker === true ? "Remove delete marker" : "Delete"}
        </Button>
      </div>
    </Dialog>
  );
}

/** One step of the server where it can; with versions, a copy and a deletion. */
async function move(bucket: string, key: string, newKey: string): Promise<void> {
  const source = `/${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`;
  const headers = { "x-amz-rename-source": source };
  try {
    await s3Fetch({ method: "PUT", bucket, key: newKey, query: { renameObject: "" }, headers });
  } catch (error) {
    const isOnlyThisWay = error instanceof ApiError && RENAME_OTHERWISE.has(error.code);
    if (!isOnlyThisWay) throw error;
    await copyObject(bucket, { key }, { bucket, key: newKey });
    await deleteObject(bucket, key);
  }
}

function CopyDialog(
  props: ActProps & { readonly item: ListedObject; readonly isMove: boolean },
): JSX.Element {
  const { item, bucket, isMove } = props;
  const target = useSignal(bucket);
  const key = useSignal(item.key);
  const submit = async (): Promise<void> => {
    const to = { bucket: target.value.trim(), key: key.value };
    if (to.key === "") throw new Error("A name is needed.");
    const isSame = to.bucket === bucket && to.key === item.key;
    if (isSame && item.versionId === undefined) throw new Error("That is its name already.");
    if (isMove) {
      await move(bucket, item.key, to.key);
    } else {
      const { versionId } = item;
      const source = { key: item.key, ...(versionId !== undefined && { versionId }) };
      await copyObject(bucket, source, to);
    }
    tell(`${keyText(to.key)} is there`);
    props.onAct(undefined);
    props.onChanged();
  };
  return (
    <FormDialog
      title={isMove ? "Rename" : "Copy"}
      action={isMove ? "Rename" : "Copy"}
      onClose={() => props.onAct(undefined)}
      onSubmit={submit}
    >
      {isMove ? null : (
        <Field
          label="Bucket"
          required
          value={target.value}
          onInput={(value) => {
            target.value = value;
          }}
        />
      )}
      <Field
        label="New name"
        required
        focus
        value={key.value}
        hint="With its folders: reports/2026/may.pdf"
        onInput={(value) => {
          key.value = value;
        }}
      />
    </FormDialog>
  );
}

/** Takes from `source` with a bounded number of deletions under way; stops at the first failure. */
async function deleteAll(bucket: string, source: AsyncIterable<ListedObject>): Promise<number> {
  const iterator = source[Symbol.asyncIterator]();
  let count = 0;
  const work = async (): Promise<void> => {
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      await deleteObject(bucket, next.value.key, next.value.versionId);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: DELETES_AT_ONCE }, work));
  return count;
}

async function* versionsBelow(bucket: string, prefix: string): AsyncGenerator<ListedObject> {
  let next: Readonly<Record<string, string>> | undefined = {};
  while (next !== undefined) {
    const page: Awaited<ReturnType<typeof listVersions>> = await listVersions(bucket, prefix, {
      delimiter: "",
      ...next,
    });
    yield* page.items;
    next = page.next;
  }
}

async function* allOf(
  bucket: string,
  items: readonly ListedObject[],
  withVersions: boolean,
): AsyncGenerator<ListedObject> {
  for (const item of items) {
    if (!item.isFolder) yield item;
    else yield* withVersions ? versionsBelow(bucket, item.key) : keysBelow(bucket, item.key);
  }
}

function DeleteDialog(props: ActProps & { readonly items: readonly ListedObject[] }): JSX.Element {
  const { items, bucket } = props;
  const withVersions = useSignal(false);
  const [first] = items;
  const hasFolder = items.some((item) => item.isFolder);
  const what =
    items.length === 1 && first !== undefined ? keyText(first.key) : `${items.length} entries`;
  const isForEver = items.some((item) => item.versionId !== undefined);
  return (
    <FormDialog
      title={`Delete ${what}`}
      action="Delete"
      kind="bad"
      onClose={() => props.onAct(undefined)}
      onSubmit={async () => {
        const count = await deleteAll(bucket, allOf(bucket, items, withVersions.value));
        tell(`${count} deleted`);
        props.onAct(undefined);
        props.onChanged();
      }}
    >
      <p>
        {isForEver
          ? "These versions are gone for ever."
          : "With versioning, deleted objects can be brought back; without, they cannot."}
        {hasFolder ? " Folders are deleted with all below them." : ""}
      </p>
      {hasFolder ? (
        <Check
          label="All versions below the folders too"
          checked={withVersions.value}
          onChange={(checked) => {
            withVersions.value = checked;
          }}
        />
      ) : null}
    </FormDialog>
  );
}

function NewFolder(props: ActProps): JSX.Element {
  const name = useSignal("");
  return (
    <FormDialog
      title="New folder"
      action="Create"
      onClose={() => props.onAct(undefined)}
      onSubmit={async () => {
        const key = `${props.folder}${name.value.replace(/\/+$/, "")}/`;
        await s3Fetch({ method: "PUT", bucket: props.bucket, key }, { body: "" });
        props.onAct(undefined);
        props.onChanged();
      }}
    >
      <Field
        label="Name"
        required
        focus
        value={name.value}
        onInput={(value) => {
          name.value = value;
        }}
      />
    </FormDialog>
  );
}
