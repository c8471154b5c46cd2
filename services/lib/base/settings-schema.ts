// Builds the JSON Schemas of settings, with the type of what fits them. The names are those of
// typebox, the schemas plain objects: a process reads its settings before anything else, and
// typebox is 680 files, a third of what starting a process costs.

/** A JSON Schema for values of type T. `~value` is for the type checker only and never there. */
export interface TSchema<T = unknown> {
  readonly type?: string;
  readonly "~value"?: T;
}

/** The type of what fits a schema. */
export type Static<S extends TSchema> = S extends TSchema<infer T> ? T : never;

export type TString = TSchema<string> & { readonly type: "string"; readonly pattern?: string };
export type TProperties = Readonly<Record<string, TSchema>>;

export interface TObject<P extends TProperties>
  extends TSchema<{ -readonly [K in keyof P]: Static<P[K]> }> {
  readonly type: "object";
  readonly properties: P;
  readonly required: readonly string[];
}

interface Described<T> {
  readonly description?: string;
  readonly default?: T;
}

interface NumberOptions extends Described<number> {
  readonly minimum?: number;
  readonly maximum?: number;
}

interface StringOptions extends Described<string> {
  readonly minLength?: number;
  readonly maxLength?: number;
  /** A regular expression; anchor it. */
  readonly pattern?: string;
}

interface ArrayOptions extends Described<readonly unknown[]> {
  readonly minItems?: number;
  readonly maxItems?: number;
}

interface ObjectOptions extends Described<Readonly<Record<string, unknown>>> {
  readonly additionalProperties?: boolean;
}

export { arrayOf as Array, booleanOf as Boolean, objectOf as Object, stringOf as String };

/** Every property must be there or have a default. */
function objectOf<P extends TProperties>(properties: P, options: ObjectOptions = {}): TObject<P> {
  return { ...options, type: "object", required: Object.keys(properties), properties };
}

/** Keys that match the pattern of `key`, each with a value that fits `value`. */
export function Record<V extends TSchema>(
  key: TString,
  value: V,
  options: ObjectOptions = {},
): TSchema<{ [key: string]: Static<V> }> & { readonly type: "object" } {
  return { ...options, type: "object", ...{ patternProperties: { [key.pattern ?? ""]: value } } };
}

function arrayOf<I extends TSchema>(
  items: I,
  options: ArrayOptions = {},
): TSchema<Static<I>[]> & { readonly type: "array"; readonly items: I } {
  return { ...options, type: "array", items };
}

function stringOf(options: StringOptions = {}): TString {
  return { ...options, type: "string" };
}

function booleanOf(options: Described<boolean> = {}): TSchema<boolean> {
  return { ...options, type: "boolean" };
}

export function Integer(options: NumberOptions = {}): TSchema<number> {
  return { ...options, type: "integer" };
}

export function Literal<const T extends string>(value: T): TSchema<T> & { readonly const: T } {
  return { type: "string", const: value };
}

/** Fits when one of `branches` does. */
export function Union<B extends readonly TSchema[]>(
  branches: readonly [...B],
  options: Described<unknown> = {},
): TSchema<Static<B[number]>> & { readonly anyOf: readonly [...B] } {
  return { ...options, anyOf: branches };
}
