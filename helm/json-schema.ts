// Small words for the JSON Schema of values. Objects take only the keys that they name, and every
// key may be left out: Helm has merged the chart's own values underneath before it looks.
export type Schema = Readonly<Record<string, unknown>>;

export const text: Schema = { type: "string" };
export const flag: Schema = { type: "boolean" };
/** Any object: passed on to Kubernetes as it is, whose own check is the better one. */
export const anyObject: Schema = { type: "object" };
export const anyList: Schema = { type: "array" };
export const strings: Schema = list(text);
/** Labels, annotations, node selectors. */
export const stringMap: Schema = { type: "object", additionalProperties: text };
export const quantity: Schema = {
  type: ["string", "number"],
  pattern: "^[0-9]+([.][0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei)?$",
};
export const port: Schema = whole(1, 65_535);
/** A DNS label. */
export const label: Schema = { type: "string", pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" };
export const hostName: Schema = {
  type: "string",
  pattern: "^$|^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$",
};

/** A host name, or all names below one: `*.s3.example.org`, for buckets as parts of host names. */
export const hostOrWildcard: Schema = {
  type: "string",
  pattern: "^$|^([*][.])?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$",
};

export function object(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: "object", additionalProperties: false, properties };
}

/** As `object`, with keys that must be there. */
export function item(
  required: readonly string[],
  properties: Readonly<Record<string, Schema>>,
): Schema {
  return { ...object(properties), required };
}

export function list(items: Schema): Schema {
  return { type: "array", items };
}

export function oneOf(...values: readonly unknown[]): Schema {
  return { enum: values };
}

export function whole(minimum: number, maximum: number): Schema {
  return { type: "integer", minimum, maximum };
}

export function orNull(schema: Schema): Schema {
  return { anyOf: [schema, { type: "null" }] };
}

/** A schema of settings in which everything may be left out and nothing is filled in. */
export function partial(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(partial);
  if (typeof schema !== "object" || schema === null) return schema;
  const entries = Object.entries(schema).filter(
    ([key, value]) => !(key === "required" && Array.isArray(value)) && key !== "default",
  );
  return Object.fromEntries(entries.map(([key, value]) => [key, partial(value)]));
}
