// The S3 settings of a gateway for tests: every default, and changes over them.
import { Ajv } from "ajv";
import { S3_SETTINGS, type S3Settings } from "../../../services/gateway/config.ts";

const validate = new Ajv({ useDefaults: true }).compile<S3Settings>(S3_SETTINGS);

/** True for settings that fit the schema; fills in defaults. */
export function fitsS3Settings(settings: Readonly<Record<string, unknown>>): boolean {
  return validate(settings);
}

/** Throws when a change does not fit the schema. */
export function s3Settings(changes: Partial<S3Settings> = {}): S3Settings {
  const settings: unknown = { ...changes };
  if (validate(settings)) return settings;
  throw new Error(`s3 settings: ${JSON.stringify(validate.errors)}`);
}
