// What an interrupted transfer leaves behind so that the next run of the same command goes on: one
// small file a transfer, named by a hash of its two ends, written atomically, readable by its owner
// only. It holds no secret. A file that cannot be read as ours counts as none: state saves work,
// and is never needed for correctness.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** `$XDG_STATE_HOME/dolium/transfers`, else below ~/.local/state. */
export function stateFolder(environment: Readonly<Record<string, string | undefined>>): string {
  const home = environment.XDG_STATE_HOME;
  const base = home === undefined || home === "" ? join(homedir(), ".local", "state") : home;
  return join(base, "dolium", "transfers");
}

export type StateFields = Readonly<Record<string, string | number | readonly number[]>>;

export class TransferState {
  readonly #folder: string;
  readonly #path: string;

  /** `ends`: what names the transfer; equal for a later run of the same command. */
  constructor(folder: string, ends: readonly string[]) {
    this.#folder = folder;
    const name = createHash("sha256").update(JSON.stringify(ends)).digest("hex").slice(0, 32);
    this.#path = join(folder, `${name}.json`);
  }

  /** What was kept, if every field of `expected` is in it and equal. */
  read(expected: StateFields): Readonly<Record<string, unknown>> | undefined {
    const kept = parsed(this.#path);
    if (kept === undefined) return undefined;
    const equal = Object.entries(expected).every(([name, value]) => kept[name] === value);
    return equal ? kept : undefined;
  }

  write(fields: StateFields): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const next = `${this.#path}.${process.pid}.new`;
    writeFileSync(next, JSON.stringify(fields), { mode: 0o600 });
    renameSync(next, this.#path);
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}

function parsed(path: string): Readonly<Record<string, unknown>> | undefined {
  const text = textOf(path);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    // An object by this check; its fields are looked at before they are used.
    const isObject = typeof value === "object" && value !== null;
    return isObject ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
