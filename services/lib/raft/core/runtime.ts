// Compiles and runs the core's WebAssembly: calls with one batch of arguments and one batch of
// results, errors by code, and the rule that a trapped instance is dead. The module has no imports,
// so nothing outside can be called from inside. Memory may grow in any call: views are made anew
// after each.
import { createHash } from "node:crypto";
import { AssertionFailure, assert } from "../../base/assert.ts";
import { type ErrorCode, StoreError } from "../../base/errors.ts";
import { type ArgumentWriter, ResultReader } from "./codec.ts";
import { CORE_BASE64, CORE_SHA256 } from "./wasm.ts";

declare const MODULE: unique symbol;

/** A compiled core, good for any number of instances. */
export interface RaftCoreModule {
  readonly [MODULE]: true;
}

// The compiler's library has no types for WebAssembly outside browsers.
interface WebAssemblyRuntime {
  readonly Module: new (bytes: Uint8Array) => RaftCoreModule;
  readonly Instance: new (
    module: RaftCoreModule,
    imports: object,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
}

function runtime(): WebAssemblyRuntime {
  const found = (globalThis as unknown as { readonly WebAssembly?: WebAssemblyRuntime })
    .WebAssembly;
  assert(found !== undefined, "this runtime has no WebAssembly");
  return found;
}

/**
 * Compiles the built core, or `wasm` in its place. Throws StoreError "internal" when the built core
 * does not match its checksum.
 */
export function compileRaftCore(wasm?: Uint8Array): RaftCoreModule {
  const bytes = wasm ?? Buffer.from(CORE_BASE64, "base64");
  if (wasm === undefined) {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    if (sha256 !== CORE_SHA256) {
      throw new StoreError("internal", "the consensus core does not match its checksum");
    }
  }
  return new (runtime().Module)(bytes);
}

/**
 * Functions of src/lib.rs that take (group, number, length of the arguments) and return a status.
 */
export type Operation =
  | "open_group"
  | "close_group"
  | "groups"
  | "propose"
  | "propose_members"
  | "apply_members"
  | "read_index"
  | "step"
  | "tick"
  | "tick_all"
  | "ready_groups"
  | "ready"
  | "on_persisted"
  | "on_applied"
  | "compact_to"
  | "provide_entries"
  | "offer_snapshot"
  | "campaign"
  | "transfer_leader"
  | "report_unreachable"
  | "report_snapshot"
  | "request_snapshot"
  | "set_priority"
  | "status"
  | "inspect";

/** Statuses of src/failure.rs; 0 is success. */
const STATUS_CODES: readonly (ErrorCode | undefined)[] = [
  undefined,
  "not-found",
  "exists",
  "invalid",
  "corrupt",
];

/** Most calls answer nothing: one reader serves them all. */
const NOTHING = new ResultReader(new Uint8Array(0));

type Numeric = (...numbers: number[]) => number;

interface CoreExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly functions: Readonly<Record<string, Numeric>>;
}

function checkedExports(exports: Readonly<Record<string, unknown>>): CoreExports {
  const memory = exports.memory as { readonly buffer?: unknown } | undefined;
  assert(memory?.buffer instanceof ArrayBuffer, "the core exports its memory");
  const functions: Record<string, Numeric> = {};
  for (const [name, value] of Object.entries(exports)) {
    if (typeof value === "function") functions[name] = value as Numeric;
  }
  return { memory: memory as CoreExports["memory"], functions };
}

export class CoreInstance {
  readonly #exports: CoreExports;
  #death: string | undefined;

  constructor(module: RaftCoreModule, seed: bigint) {
    const instance = new (runtime().Instance)(module, {});
    this.#exports = checkedExports(instance.exports);
    const bits = BigInt.asUintN(64, seed);
    this.#run("start", Number(bits >> 32n), Number(bits & 0xffff_ffffn));
  }

  get memoryBytes(): number {
    return this.#exports.memory.buffer.byteLength;
  }

  /** Runs one operation. The reader's bytes are a copy that nothing else holds. */
  call(operation: Operation, group: number, number = 0, writer?: ArgumentWriter): ResultReader {
    const length = writer?.length ?? 0;
    if (writer !== undefined) {
      // 1. The buffer may move when it grows: ask for the address, then look at the memory.
      const address = this.#run("reserve", length) >>> 0;
      writer.copyTo(new Uint8Array(this.#exports.memory.buffer, address, length));
    }
    // 2. Run, then copy the results out before anything can move them.
    const status = this.#run(operation, group, number, length);
    const size = this.#run("output_length") >>> 0;
    if (status === 0 && size === 0) return NOTHING;
    const address = this.#run("output_pointer") >>> 0;
    const bytes = new Uint8Array(size);
    bytes.set(new Uint8Array(this.#exports.memory.buffer, address, bytes.byteLength));
    if (status === 0) return new ResultReader(bytes);
    const code = STATUS_CODES[status];
    assert(code !== undefined, `unknown status ${status} of ${operation}`);
    throw new StoreError(code, Buffer.from(bytes.buffer).toString("utf8"));
  }

  #run(name: string, ...numbers: number[]): number {
    if (this.#death !== undefined) {
      throw new AssertionFailure(`the consensus core is dead: ${this.#death}`);
    }
    const operation = this.#exports.functions[name];
    assert(operation !== undefined, `the core exports ${name}`);
    try {
      return operation(...numbers);
    } catch (error) {
      // Traps arrive as RuntimeError, exhausted stacks as RangeError: state inside is torn either
      // way.
      this.#death = this.#lastWords(error);
      const failure = new AssertionFailure(`the consensus core failed: ${this.#death}`);
      failure.cause = error;
      throw failure;
    }
  }

  #lastWords(error: unknown): string {
    const fallback = error instanceof Error ? error.message : String(error);
    try {
      const address = (this.#exports.functions.panic_pointer?.() ?? 0) >>> 0;
      const length = (this.#exports.functions.panic_length?.() ?? 0) >>> 0;
      const bytes = new Uint8Array(this.#exports.memory.buffer, address, length);
      const words = Buffer.from(bytes).toString("utf8");
      return words === "" ? fallback : words;
    } catch (second) {
      return `${fallback} (and its reason is lost: ${String(second)})`;
    }
  }
}
