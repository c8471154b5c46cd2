// Runs a program of the machine for a test and returns what it printed; throws with its stderr when
// it fails.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const TIMEOUT_MS = 600_000;

export interface CommandOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { stdout } = await promisify(execFile)(program, [...args], {
    env: { ...process.env, ...options.environment },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    maxBuffer: OUTPUT_BYTES_MAX,
    timeout: TIMEOUT_MS,
  });
  return stdout;
}

/** Undefined when the program runs, else why a test that needs it is skipped. */
export async function missing(
  program: string,
  args: readonly string[],
): Promise<string | undefined> {
  try {
    await runCommand(program, args);
    return undefined;
  } catch {
    return `${program} is not installed on this machine`;
  }
}
