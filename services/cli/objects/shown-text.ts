// Text that others chose (keys, names, messages), made safe for a terminal: control characters and
// characters that turn the direction of writing are shown as escapes, so that a key can neither
// move the cursor nor look like another one.

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** `\n` for a line feed, `\x1b`, `\u202e`; everything else as it is. */
export function shown(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const short = SHORT.get(character);
    if (short !== undefined) return short;
    const code = character.charCodeAt(0).toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u${code.padStart(4, "0")}`;
  });
}

const SHORT = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** `1.5 MiB`: powers of 1024, one decimal above bytes. */
export function shownSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${bytes} B` : `${value.toFixed(1)} ${UNITS[unit]}`;
}

/** `2026-01-31 08:05:00` in UTC, or as many spaces. */
export function shownTime(time: Date | undefined): string {
  return time === undefined ? " ".repeat(19) : time.toISOString().slice(0, 19).replace("T", " ");
}

/** `3 objects`, `1 object`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
