// Reads the configuration of a process from its file and the environment.
import process from "node:process";
import { isStoreError } from "../lib/base/errors.ts";
import { loadConfig } from "../lib/host/config.ts";
import { UsageError } from "./command-line.ts";
import { type Config, ConfigSchema } from "./config-schema.ts";
import { withMinioSettings } from "./minio-names.ts";

/** Names the configuration file where no option does. */
const FILE_VARIABLE = "DOLIUM_CONFIG";

/**
 * The checked configuration: of the file, else of the one that DOLIUM_CONFIG names, under the
 * environment. Throws UsageError with a line for every mistake.
 */
export function readConfig(filePath: string | undefined): Config {
  const named = process.env[FILE_VARIABLE] ?? "";
  const path = filePath ?? (named === "" ? undefined : named);
  try {
    return loadConfig(ConfigSchema, {
      environment: withMinioSettings(process.env),
      ...(path === undefined ? {} : { filePath: path }),
    });
  } catch (error) {
    if (isStoreError(error, "invalid")) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}
