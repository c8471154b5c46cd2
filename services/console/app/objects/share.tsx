// A link to one object for whoever has it, for a while: the address, a QR code and a line for curl.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { qrMatrix } from "../../model/qr.ts";
import { keyText } from "../format.ts";
import { type ListedObject, signedUrl } from "../s3.ts";
import { textOf } from "../state.ts";
import { Button, Choice, Copyable, Dialog, Failure } from "../ui.tsx";
import { fileName } from "./download.ts";

export const LIFETIMES = [
  ["3600", "1 hour"],
  ["43200", "12 hours"],
  ["86400", "1 day"],
  ["604800", "7 days"],
] as const;

/** A word for a POSIX shell. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

export function QrCode({ text }: { readonly text: string }): JSX.Element {
  const drawn = useMemo(() => {
    const matrix = qrMatrix(text);
    if (matrix === undefined) return undefined;
    const path = matrix.flatMap((row, y) =>
      row.flatMap((isDark, x) => (isDark ? [`M${x + 4} ${y + 4}h1v1h-1z`] : [])),
    );
    return { size: matrix.length + 8, path: path.join("") };
  }, [text]);
  if (drawn === undefined) return <p class="hint">The address is too long for a QR code.</p>;
  return (
    <svg
      class="qr"
      role="img"
      aria-label="QR code of the link"
      viewBox={`0 0 ${drawn.size} ${drawn.size}`}
    >
      <path fill="#000" d={drawn.path} shape-rendering="crispEdges" />
    </svg>
  );
}

export function Share(props: {
  readonly bucket: string;
  readonly item: ListedObject;
  readonly onClose: () => void;
}): JSX.Element {
  const { bucket, item } = props;
  const expires = useSignal("86400");
  const url = useSignal("");
  const failure = useSignal("");
  const make = async (): Promise<void> => {
    failure.value = "";
    const query: Record<string, string> =
      item.versionId === undefined ? {} : { versionId: item.versionId };
    const wanted = { method: "GET", bucket, key: item.key, query } as const;
    try {
      url.value = await signedUrl({ ...wanted, expires: Number(expires.value) });
    } catch (error) {
      failure.value = textOf(error);
    }
  };
  return (
    <Dialog title={`Share ${keyText(item.key)}`} onClose={props.onClose}>
      <p>Whoever has the link can read this object, without signing in, until it expires.</p>
      <Choice
        label="Works for"
        value={expires.value}
        options={LIFETIMES}
        onChange={(value) => {
          expires.value = value;
          url.value = "";
        }}
      />
      <Failure text={failure.value} />
      {url.value === "" ? (
        <div class="actions">
          <Button kind="main" onClick={make}>
            Make link
          </Button>
        </div>
      ) : (
        <>
          <Copyable label="Link" text={url.value} rows={4} />
          <QrCode text={url.value} />
          <Copyable
            label="With curl"
            text={`curl -o ${shellWord(fileName(item.key))} ${shellWord(url.value)}`}
            rows={4}
          />
        </>
      )}
    </Dialog>
  );
}
