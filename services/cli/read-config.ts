// Reads the configuration of a process from its file and the environment.
import process from "node:process";
import { isStoreError } from "../lib/base/errors.ts";
import { loadConfig } from "../lib/host/config.ts";
import { UsageError } from "./command-line.ts";
import { type Config, ConfigSchema } from "./config-schema.ts";

/** The checked configuration. Throws UsageError with a line for every mistake. */
export function readConfig(filePath: string | undefined): Config {
  try {
    return loadConfig(ConfigSchema, {
      environment: process.env,
      ...(filePath === undefined ? {} : { filePath }),
    });
  } catch (error) {
    if (isStoreError(error, "invalid")) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}
