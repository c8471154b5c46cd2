// What a migration that was interrupted leaves behind: for each bucket whether it was made here,
// and up to which key everything is carried. It saves work and is never needed for correctness:
// without it, both sides are compared. Written atomically, at most once a second and at the end.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { UsageError } from "../command-line.ts";
import { shown } from "../objects/shown-text.ts";

export interface BucketState {
  /** Made by this migration: its settings are ours to set. */
  readonly made: boolean;
  /** Every key up to this one, in the order of listings, is carried; "" for none. */
  readonly carriedTo: string;
}

const WRITE_EVERY_MS = 1000;
const NOTHING: BucketState = { made: false, carriedTo: "" };

export class MigrationState {
  readonly path: string;
  readonly #ends: string;
  readonly #buckets: Map<string, BucketState>;
  #writtenMs = 0;

  private constructor(path: string, ends: string, buckets: Map<string, BucketState>) {
    this.path = path;
    this.#ends = ends;
    this.#buckets = buckets;
  }

  /** `ends`: source and target. Throws UsageError for the state of another migration. */
  static open(path: string, ends: readonly string[]): MigrationState {
    const name = JSON.stringify(ends);
    const kept = parsed(path);
    if (kept === undefined) return new MigrationState(path, name, new Map());
    if (kept.ends !== name) {
      throw new UsageError(`${shown(path)} is the state of a migration between other stores`);
    }
    return new MigrationState(path, name, new Map(Object.entries(kept.buckets)));
  }

  of(bucket: string): BucketState {
    return this.#buckets.get(bucket) ?? NOTHING;
  }

  set(bucket: string, change: Partial<BucketState>): void {
    this.#buckets.set(bucket, { ...this.of(bucket), ...change });
    if (Date.now() - this.#writtenMs >= WRITE_EVERY_MS) this.write();
  }

  write(): void {
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    const fields = { ends: this.#ends, buckets: Object.fromEntries(this.#buckets) };
    const next = `${this.path}.${process.pid}.new`;
    writeFileSync(next, JSON.stringify(fields), { mode: 0o600 });
    renameSync(next, this.path);
    this.#writtenMs = Date.now();
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }
}

/** In the folder of unfinished transfers, by a hash of the two ends. */
export function statePath(folder: string, ends: readonly string[]): string {
  const name = createHash("sha256")
    .update(JSON.stringify(["migrate", ...ends]))
    .digest("hex");
  return join(folder, `migrate-${name.slice(0, 32)}.json`);
}

interface Kept {
  readonly ends: string;
  readonly buckets: Readonly<Record<string, BucketState>>;
}

/** Throws UsageError for a file that is not ours. */
function parsed(path: string): Kept | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const value: unknown = JSON.parse(text);
    if (isKept(value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new UsageError(`${shown(path)} is no state of a migration`);
}

function isKept(value: unknown): value is Kept {
  if (typeof value !== "object" || value === null) return false;
  if (!("ends" in value && "buckets" in value)) return false;
  const { ends, buckets } = value;
  if (typeof ends !== "string" || typeof buckets !== "object" || buckets === null) return false;
  return Object.values(buckets).every(
    (one: unknown) =>
      typeof one === "object" &&
      one !== null &&
      "made" in one &&
      typeof one.made === "boolean" &&
      "carriedTo" in one &&
      typeof one.carriedTo === "string",
  );
}

/** Up to which key everything is done, where things end in another order than they began. */
export class Watermark {
  readonly #begun: { readonly key: string; isDone: boolean }[] = [];
  #to: string;

  constructor(to: string) {
    this.#to = to;
  }

  get to(): string {
    return this.#to;
  }

  /** Keys begin in their order. Call what it gives back when the key is carried. */
  begin(key: string): () => void {
    const one = { key, isDone: false };
    this.#begun.push(one);
    return () => {
      one.isDone = true;
      while (this.#begun[0]?.isDone === true) this.#to = this.#begun.shift()?.key ?? this.#to;
    };
  }
}
