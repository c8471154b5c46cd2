// The time of a local file as objects remember it: metadata `mtime`, seconds since 1970 with nine
// decimals, as rclone and others write it, so that they understand each other's objects.

export const TIME_METADATA = "mtime";
/** Times this near are one: file systems and tools cut off at different digits. */
export const TIME_TOLERANCE_MS = 1;

export function formatFileTime(mtimeNs: bigint): string {
  const negative = mtimeNs < 0n;
  const size = negative ? -mtimeNs : mtimeNs;
  const fraction = String(size % 1_000_000_000n).padStart(9, "0");
  return `${negative ? "-" : ""}${size / 1_000_000_000n}.${fraction}`;
}

/** Milliseconds since 1970 with a fraction; undefined for anything that is no such time. */
export function parseFileTime(text: string | undefined): number | undefined {
  if (text === undefined || !/^-?[0-9]{1,12}(?:\.[0-9]{1,9})?$/.test(text)) return undefined;
  return Number(text) * 1000;
}

export function isSameTime(first: number, second: number): boolean {
  return Math.abs(first - second) <= TIME_TOLERANCE_MS;
}
