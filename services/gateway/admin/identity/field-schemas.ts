// Schemas of fields that several calls take. What names may be made of is decided where they are
// kept (services/metadata); here they are only bounded.
import * as Type from "../../../lib/base/settings-schema.ts";

const NAME_MAX = 128;

export const Name = Type.String({ minLength: 1, maxLength: NAME_MAX });
export const ShortText = Type.String({ maxLength: 256 });
export const AccessKeyId = Type.String({
  pattern: "^[A-Za-z0-9_.-]{3,128}$",
  description: "3 to 128 letters, digits and _.-; made when left out.",
});
export const SecretAccessKey = Type.String({
  minLength: 8,
  maxLength: 128,
  description: "8 to 128 characters; made when left out.",
});

/** A field that may be left out. */
export function optional<S extends Type.TSchema>(schema: S): Optional<S> {
  return { ...schema, "~optional": true };
}

export type Optional<S extends Type.TSchema> = S & { readonly "~optional": true };

type Fields = Readonly<Record<string, Type.TSchema>>;
type Given<F extends Fields> = {
  readonly [K in keyof F as F[K] extends { readonly "~optional": true } ? never : K]: Type.Static<
    F[K]
  >;
} & {
  readonly [K in keyof F as F[K] extends { readonly "~optional": true } ? K : never]?: Type.Static<
    F[K]
  >;
};

/** An object with exactly these fields; those made by `optional` may be missing. */
export function body<F extends Fields>(fields: F): Type.TSchema<Given<F>> {
  const properties: Record<string, unknown> = {};
  const required: string[] = [];
  for (const [name, schema] of Object.entries(fields)) {
    const { "~optional": isOptional, ...plain } = { "~optional": false, ...schema };
    properties[name] = plain;
    if (!isOptional) required.push(name);
  }
  const schema = { type: "object", properties, required, additionalProperties: false };
  return schema;
}

const Null: Type.TSchema<null> = { type: "null" };
const Anything: Type.TSchema<Readonly<Record<string, unknown>>> = { type: "object" };

export const Expiry = Type.Union([Type.String({ minLength: 2, maxLength: 40 }), Null], {
  description: 'A span ("30d", "12h", "90m"), an RFC 3339 time, or null for never.',
});

/** JSON of a policy, as an object or as text. */
export const PolicyDocument = Type.Union(
  [Anything, Type.String({ minLength: 2, maxLength: 65_536 })],
  { description: "A policy document, as an object or as its text." },
);

const count = (description: string): Optional<Type.TSchema<number>> =>
  optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description }));

export const Limits = body({
  bytesMax: count("Bytes in all buckets of the user; 0: no limit."),
  objectsMax: count("Objects in all buckets of the user; 0: no limit."),
  bucketsMax: optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })),
  requestsPerSecond: optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })),
  uploadBytesPerSecond: count("At each gateway; 0: no limit."),
  downloadBytesPerSecond: count("At each gateway; 0: no limit."),
  noBuckets: optional(Type.Boolean({ description: "May not make buckets." })),
});

export type LimitsBody = Type.Static<typeof Limits>;

/** What somebody may say of a new access token. */
export const TOKEN_FIELDS = {
  name: Type.String({ minLength: 1, maxLength: 128 }),
  expires: optional(Expiry),
  buckets: optional(Type.Array(Type.String({ minLength: 3, maxLength: 63 }), { maxItems: 100 })),
  access: optional(
    Type.Union([Type.Literal("read"), Type.Literal("write"), Type.Literal("read-write")]),
  ),
  networks: optional(Type.Array(Type.String({ minLength: 2, maxLength: 64 }), { maxItems: 100 })),
};
