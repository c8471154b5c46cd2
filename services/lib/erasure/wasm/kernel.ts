// Compiles and starts the Reed-Solomon kernel embedded in kernel-wasm.ts: no file is read, nothing
// runs on import. The compiler's library has no types for WebAssembly outside browsers, so the few
// that are needed stand here, checked where they enter.
import { createHash } from "node:crypto";
import { assert } from "../../base/assert.ts";
import { StoreError } from "../../base/errors.ts";
import { KERNEL_BASE64, KERNEL_MEMORY_BYTES, KERNEL_SHA256 } from "./kernel-wasm.ts";

interface WebAssemblyRuntime {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Record<string, unknown> };
}

/**
 * `multiply` of assembly/kernel.ts; every argument but the counts is an address or length in bytes.
 */
export type Multiply = (
  tables: number,
  input: number,
  inputs: number,
  output: number,
  outputs: number,
  stride: number,
  length: number,
) => void;

export interface Kernel {
  readonly multiply: Multiply;
  /** All of the kernel's memory, KERNEL_MEMORY_BYTES; it never grows, so the view stays valid. */
  readonly memory: Uint8Array;
}

/**
 * A kernel with memory of its own. Throws StoreError "internal" when its bytes are not the built
 * ones.
 */
export function startKernel(base64: string = KERNEL_BASE64): Kernel {
  const wasm = Buffer.from(base64, "base64");
  if (createHash("sha256").update(wasm).digest("hex") !== KERNEL_SHA256) {
    throw new StoreError("internal", "the erasure kernel does not match its checksum");
  }
  const runtime = (globalThis as unknown as { readonly WebAssembly?: WebAssemblyRuntime })
    .WebAssembly;
  if (runtime === undefined) throw new StoreError("internal", "this runtime has no WebAssembly");
  const { memory, multiply } = new runtime.Instance(new runtime.Module(wasm)).exports;
  assert(typeof multiply === "function", "the kernel exports multiply");
  const buffer = (memory as { readonly buffer?: unknown } | undefined)?.buffer;
  assert(buffer instanceof ArrayBuffer, "the kernel exports its memory");
  assert(buffer.byteLength === KERNEL_MEMORY_BYTES, "the kernel's memory has its fixed size");
  return { multiply: multiply as Multiply, memory: new Uint8Array(buffer) };
}
