// The reference of settings, docs/reference/configuration.md, from the schema: name, variable,
// default, bounds and meaning of every one.
import { type SchemaNode, variableName } from "../../lib/host/config-environment.ts";

/** As much of JSON schema as the page tells. */
interface SettingNode extends SchemaNode {
  readonly description?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, SettingNode>>;
  readonly patternProperties?: Readonly<Record<string, SettingNode>>;
  readonly items?: SettingNode;
  readonly anyOf?: readonly SettingNode[];
}

export interface SettingRow {
  /** s3.tls.keyFile */
  readonly name: string;
  readonly variable: string;
  readonly node: SettingNode;
}

const INTRODUCTION = `# Configuration

<!-- Generated: DOLIUM_UPDATE_DOCS=1 node --test test/tidy/cli-reference.test.ts -->

Every setting of a Dolium process. They come from a JSON file (\`--config FILE\`, \`DOLIUM_CONFIG\`)
and from environment variables; a variable wins over the file, an empty one counts as not set. Lists
and maps in variables are JSON; lists of texts may also be written with commas. A text may come from
a file: the variable's name with \`_FILE\` behind it names the file, for secrets. Unknown names and
values out of bounds are refused, all at once, before anything starts:

\`\`\`sh
dolium config check --config dolium.json
dolium config schema > dolium.schema.json
\`\`\`

Variables of \`dev\` and \`server\` that are no settings (\`DOLIUM_DATA\`, \`DOLIUM_ROOT_USER\` and
others) are in [the command](../cli.md#serving). Durations end in \`Ms\` (milliseconds) or \`Seconds\`.
`;

/** Every setting, in the order of the schema. */
export function settingRows(schema: SettingNode, path: readonly string[] = []): SettingRow[] {
  if (schema.properties === undefined) {
    return [{ name: path.join("."), variable: variableName(path), node: schema }];
  }
  return Object.entries(schema.properties).flatMap(([key, child]) =>
    settingRows(child, [...path, key]),
  );
}

export function configurationPage(schema: SettingNode): string {
  const sections = Object.entries(schema.properties ?? {}).map(([section, node]) => {
    const rows = settingRows(node, [section]);
    const nested = rows.flatMap(({ name, node: setting }) => nestedTable(name, setting));
    return [
      `\n## ${section}\n`,
      "| setting | variable | default | values | meaning |",
      "| --- | --- | --- | --- | --- |",
      ...rows.map(settingLine),
      ...nested,
    ].join("\n");
  });
  return `${INTRODUCTION}${sections.join("\n")}\n`;
}

function settingLine({ name, variable, node }: SettingRow): string {
  return line([
    `\`${name}\``,
    `\`${variable}\``,
    defaultText(node),
    valuesText(node),
    meaning(node),
  ]);
}

/** The fields of a list's or map's entries. */
function nestedTable(name: string, node: SettingNode): string[] {
  const entry = entryOf(node);
  if (entry?.properties === undefined) return [];
  const fields = Object.entries(entry.properties).map(([key, field]) =>
    line([`\`${key}\``, defaultText(field), valuesText(field), meaning(field)]),
  );
  return [
    `\nEach entry of \`${name}\`:\n`,
    "| field | default | values | meaning |",
    "| --- | --- | --- | --- |",
    ...fields,
  ];
}

function entryOf(node: SettingNode): SettingNode | undefined {
  return node.items ?? Object.values(node.patternProperties ?? {})[0];
}

function defaultText(node: SettingNode): string {
  if (node.default === undefined) return "required";
  return node.default === "" ? "empty" : `\`${JSON.stringify(node.default)}\``;
}

function valuesText(node: SettingNode): string {
  if (node.anyOf !== undefined) {
    return node.anyOf.map((branch) => `\`${String(branch.const)}\``).join(", ");
  }
  if (node.type === "boolean") return "`true`, `false`";
  if (node.type === "array") return node.items?.type === "string" ? "list of texts" : "list";
  if (node.type === "object") return "map";
  if (node.type === "integer") return boundsText(node);
  return node.pattern === undefined ? "text" : `text like \`${node.pattern}\``;
}

function boundsText({ minimum, maximum }: SettingNode): string {
  if (maximum === undefined) return minimum === undefined ? "number" : `from ${minimum}`;
  return `${minimum ?? 0} to ${maximum}`;
}

function meaning(node: SettingNode): string {
  return node.description ?? "";
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}
