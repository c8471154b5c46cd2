// The table of values for people, from values.yaml itself: a comment that begins with `# --` is
// about the key below it.
import { parse } from "yaml";

export interface ValueRow {
  /** Dotted. */
  readonly key: string;
  readonly description: string;
  /** JSON. */
  readonly value: string;
}

const KEY = /^( *)([A-Za-z0-9_]+):/;
const COMMENT = /^ *# -- (.*)$/;

/** Every value that has no values below it, in the order of the file. */
export function valueRows(yaml: string): ValueRow[] {
  const values: unknown = parse(yaml);
  const rows: ValueRow[] = [];
  const path: string[] = [];
  let description = "";
  for (const line of yaml.split("\n")) {
    const comment = COMMENT.exec(line);
    if (comment !== null) {
      description = comment[1] ?? "";
      continue;
    }
    const found = KEY.exec(line);
    if (found === null) continue;
    path.splice((found[1] ?? "").length / 2, path.length, found[2] ?? "");
    const value = valueAt(values, path);
    const isBranch = isMap(value) && Object.keys(value).length > 0 && line.trimEnd().endsWith(":");
    if (!isBranch) rows.push({ key: path.join("."), description, value: JSON.stringify(value) });
    description = "";
  }
  return rows;
}

export function valuesTable(yaml: string): string {
  const lines = valueRows(yaml).map(({ key, description, value }) => {
    const shown = value === '""' ? "" : `\`${value}\``;
    return `| \`${key}\` | ${shown} | ${description.replaceAll("|", "\\|")} |`;
  });
  return ["| value | default | |", "| --- | --- | --- |", ...lines].join("\n");
}

function valueAt(values: unknown, path: readonly string[]): unknown {
  let value = values;
  for (const name of path) value = isMap(value) ? value[name] : undefined;
  return value;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
