// Which local file a key becomes on download. A key never leads out of the target folder, never
// through a name that the file system reads in another way, and two keys never become one file:
// whatever would is refused with a reason. Pure.

export type DownloadName =
  | { readonly kind: "file"; readonly name: string }
  /** A marker of a folder: an empty object whose key ends with `/`. */
  | { readonly kind: "folder"; readonly name: string }
  | { readonly kind: "refused"; readonly reason: string };

const NAME_BYTES_MAX = 255;

/** `relative`: the key below the folder that is downloaded. `size`: of the object, in bytes. */
export function downloadName(relative: string, size: number): DownloadName {
  const isFolder = relative.endsWith("/");
  const name = isFolder ? relative.slice(0, -1) : relative;
  const reason = refusal(name);
  if (reason !== undefined) return { kind: "refused", reason };
  if (!isFolder) return { kind: "file", name };
  if (size === 0) return { kind: "folder", name };
  return {
    kind: "refused",
    reason: "the key ends with / and has a body: no file can be called so",
  };
}

function refusal(name: string): string | undefined {
  if (name === "") return "the key leaves no name for a file";
  if (name.startsWith("/")) return "the key begins with /";
  if (name.includes("\0")) return "the key holds a NUL character";
  for (const segment of name.split("/")) {
    if (segment === "") return "the key holds //, which a file system reads as /";
    if (segment === "." || segment === "..") return `the key holds ${segment} as a folder`;
    if (Buffer.byteLength(segment) > NAME_BYTES_MAX) return "a name in the key is over 255 bytes";
  }
  return undefined;
}
