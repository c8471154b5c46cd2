// Java libraries that .ci/run brings, and programs over them: run from their source by one `java`,
// which compiles them in memory.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { missing, runCommand } from "../support/run-command.ts";
import type { Client } from "./row-test.ts";

const ROOT = join(import.meta.dirname, "../..");

export interface JavaLibrary {
  /** As the client matrix shows it. */
  readonly name: string;
  /** Under .ci, where the jars are. */
  readonly folder: string;
  /** The jar that names the version: `s3` of `s3-2.31.78.jar`. */
  readonly artifact: string;
}

/** The library as a client, of the version of its jar; absent without it, and without Java. */
export async function findJavaLibrary({ name, folder, artifact }: JavaLibrary): Promise<Client> {
  const noJava = await missing("javac", ["-version"]);
  const jars = namesIn(join(ROOT, ".ci", folder));
  const prefix = `${artifact}-`;
  const versions = jars
    .filter((jar) => jar.startsWith(prefix) && jar.endsWith(".jar"))
    .map((jar) => jar.slice(prefix.length, -".jar".length));
  const version = versions.find((text) => /^\d+(?:\.\d+)+$/.test(text));
  if (noJava !== undefined) return { name, version: "", absent: noJava };
  if (version !== undefined) return { name, version, absent: undefined };
  return { name, version: "", absent: `${name} is not installed on this machine` };
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/**
 * Short runs: the second compiler of the JVM and the threads of its collector would cost more than
 * they bring. Sources are UTF-8 whatever the machine's locale.
 */
const JVM = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dfile.encoding=UTF-8"];

/** What `java` is told so that it runs a program (a file of test/clients/java) over the library. */
export function javaArguments(
  { folder }: JavaLibrary,
  program: string,
  flags: readonly string[] = [],
): readonly string[] {
  const classes = join(ROOT, ".ci", folder, "*");
  return [...JVM, ...flags, "-cp", classes, join(import.meta.dirname, "java", program)];
}

/**
 * What the program (a file of test/clients/java) printed. Throws, with all of that, when it did not
 * end with `ok all`.
 */
export async function runJava(
  library: JavaLibrary,
  program: string,
  options: {
    readonly flags?: readonly string[];
    readonly environment: Readonly<Record<string, string>>;
  },
): Promise<string> {
  const { flags = [], environment } = options;
  const args = javaArguments(library, program, flags);
  const printed = await runCommand("java", args, { environment }).catch(said);
  if (!printed.endsWith("ok all\n")) throw new Error(`${program}:\n${printed}`);
  return printed;
}

function said(error: unknown): string {
  if (!(error instanceof Error)) throw error;
  const stdout = "stdout" in error ? String(error.stdout) : "";
  const stderr = "stderr" in error ? String(error.stderr) : "";
  return `${stdout}${stderr}${error.message}`;
}
