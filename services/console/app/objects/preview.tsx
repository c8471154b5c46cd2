// A look at an object without leaving the page. Only pictures of a few kinds, plain text and PDF
// are shown, each as the kind we name ourselves, never as what its stored content type says: HTML
// and SVG are text here, so nothing that was uploaded can run in this page.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { bytesText, keyText, timeText } from "../format.ts";
import { Show, useLoaded } from "../load.tsx";
import { headObject, type ListedObject, s3Fetch } from "../s3.ts";
import { Button, Dialog, Icon } from "../ui.tsx";
import type { Acting } from "./act.tsx";
import { download } from "./download.ts";

const PICTURES: ReadonlySet<string> = new Set([
  "image/png",
  "image/jpeg",
  "image/gif",
  "image/webp",
  "image/avif",
  "image/bmp",
]);
const PICTURE_ENDINGS: ReadonlyMap<string, string> = new Map([
  ["png", "image/png"],
  ["jpg", "image/jpeg"],
  ["jpeg", "image/jpeg"],
  ["gif", "image/gif"],
  ["webp", "image/webp"],
  ["avif", "image/avif"],
]);
const TEXT_ENDINGS =
  /\.(?:txt|md|csv|tsv|log|json|jsonl|xml|html?|svg|css|js|mjs|ts|tsx|py|sh|ya?ml|toml|ini|conf|c|h|go|rs|java|sql|tex)$/i;
const TEXT_TYPES = /^(?:text\/|application\/(?:json|xml|javascript|x-ndjson|yaml))|\+(?:json|xml)$/;
const TEXT_BYTES = 256 * 1024;
const PICTURE_BYTES_MAX = 32 * 1024 ** 2;
const PDF_BYTES_MAX = 64 * 1024 ** 2;

type Kind =
  | { readonly kind: "picture"; readonly type: string }
  | { readonly kind: "text" | "pdf" | "none" };

function kindOf(key: string, contentType: string, size: number): Kind {
  const stored = contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const ending = key.slice(key.lastIndexOf(".") + 1).toLowerCase();
  const type = PICTURES.has(stored) ? stored : PICTURE_ENDINGS.get(ending);
  if (type !== undefined) {
    return size <= PICTURE_BYTES_MAX ? { kind: "picture", type } : { kind: "none" };
  }
  if (stored === "application/pdf" || ending === "pdf") {
    return { kind: size <= PDF_BYTES_MAX ? "pdf" : "none" };
  }
  const isText = TEXT_ENDINGS.test(key) || TEXT_TYPES.test(stored);
  return { kind: isText ? "text" : "none" };
}

interface Seen {
  readonly headers: Headers;
  readonly shown: Kind;
  readonly size: number;
  readonly body: Blob | undefined;
  readonly text: string;
}

async function look(bucket: string, item: ListedObject): Promise<Seen> {
  const { key, versionId } = item;
  const headers = await headObject(bucket, key, versionId);
  const size = Number(headers.get("content-length") ?? item.size);
  const shown = kindOf(key, headers.get("content-type") ?? "", size);
  const query: Record<string, string> = versionId === undefined ? {} : { versionId };
  const wanted = { method: "GET", bucket, key, query } as const;
  if (shown.kind === "none") return { headers, shown, size, body: undefined, text: "" };
  if (shown.kind !== "text") {
    const bytes = await (await s3Fetch(wanted)).arrayBuffer();
    const type = shown.kind === "picture" ? shown.type : "application/pdf";
    return { headers, shown, size, body: new Blob([bytes], { type }), text: "" };
  }
  if (size === 0) return { headers, shown, size, body: undefined, text: "" };
  const range = { range: `bytes=0-${Math.min(size, TEXT_BYTES) - 1}` };
  const bytes = await (await s3Fetch({ ...wanted, headers: range })).arrayBuffer();
  return { headers, shown, size, body: undefined, text: new TextDecoder().decode(bytes) };
}

function Body({ seen, name }: { readonly seen: Seen; readonly name: string }): JSX.Element {
  const url = useSignal("");
  useEffect(() => {
    if (seen.body === undefined) return undefined;
    const made = URL.createObjectURL(seen.body);
    url.value = made;
    return () => URL.revokeObjectURL(made);
  }, [seen]);
  if (seen.shown.kind === "text") {
    return (
      <pre class="preview" tabIndex={0} role="region" aria-label="Content">
        {seen.text}
        {seen.size > TEXT_BYTES ? "\n… (the beginning only)" : ""}
      </pre>
    );
  }
  if (seen.body === undefined) return <p class="empty-state">There is no preview of this kind.</p>;
  if (url.value === "") return <p class="empty-state">Loading…</p>;
  if (seen.shown.kind === "picture") return <img class="preview" src={url.value} alt={name} />;
  return <iframe class="preview" src={url.value} title={name} />;
}

export function Preview(props: {
  readonly bucket: string;
  readonly item: ListedObject;
  readonly onAct: (acting: Acting) => void;
  readonly onClose: () => void;
}): JSX.Element {
  const { bucket, item } = props;
  const loaded = useLoaded(() => look(bucket, item), [bucket, item]);
  const name = keyText(item.key);
  return (
    <Dialog title={name} wide onClose={props.onClose}>
      <Show of={loaded}>
        {(seen) => (
          <>
            <Body seen={seen} name={name} />
            <dl class="facts card">
              <dt>Size</dt>
              <dd>{bytesText(seen.size)}</dd>
              <dt>Changed</dt>
              <dd>{timeText(seen.headers.get("last-modified"))}</dd>
              <dt>Type</dt>
              <dd>{seen.headers.get("content-type") ?? "–"}</dd>
              <dt>ETag</dt>
              <dd class="mono">{seen.headers.get("etag") ?? "–"}</dd>
            </dl>
          </>
        )}
      </Show>
      <div class="actions">
        <Button onClick={() => props.onAct({ kind: "share", item })}>Share</Button>
        <Button onClick={() => props.onAct({ kind: "rename", item })}>Rename</Button>
        <Button kind="main" onClick={() => download(bucket, item)}>
          <Icon name="down" /> Download
        </Button>
      </div>
    </Dialog>
  );
}
