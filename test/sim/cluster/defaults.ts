// The settings of a schema with every value at its default.
import { Ajv } from "ajv";
import type * as Type from "../../../services/lib/base/settings-schema.ts";

const ajv = new Ajv({ useDefaults: true });

/** Throws when a setting has no default. */
export function defaultsOf<S extends Type.TSchema>(schema: S): Type.Static<S> {
  const settings: unknown = {};
  const validate = ajv.compile<Type.Static<S>>(schema);
  if (validate(settings)) return settings;
  throw new Error(`no default: ${JSON.stringify(validate.errors)}`);
}
