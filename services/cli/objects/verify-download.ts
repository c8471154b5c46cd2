// Whether bytes that arrived are those that were stored: by the object's checksum, else by its
// entity tag, of the whole or of its parts. What cannot be told is said to be unverified, never
// taken for right.
import type { FileHandle } from "node:fs/promises";
import { assert } from "../../lib/base/assert.ts";
import { compositeOfParts, multipartEtag } from "../../lib/s3/checksum-combine.ts";
import type { ChecksumFactory, HashName } from "../../lib/s3/checksums.ts";
import { CommandError, ExitCode } from "../exit-code.ts";
import { bareEtag, isMd5Etag, partCountOf } from "./checksum-kinds.ts";
import type { ObjectHead } from "./object-head.ts";
import { readFully } from "./upload.ts";

/** The name of what proved the bytes; undefined where the object carries nothing to prove them. */
export type Proof = string | undefined;

/** A digest that must come out: of the whole body, or of the digests of so many parts. */
export interface Expectation {
  readonly hash: HashName;
  readonly proof: string;
  /** Undefined for a digest of the whole. */
  readonly partCount: number | undefined;
  /** Lower-case hex. */
  readonly digest: string;
}

/** The strongest of checksum and entity tag; undefined when there is neither. */
export function expectationOf(head: ObjectHead): Expectation | undefined {
  const { checksum } = head;
  if (checksum !== undefined) {
    const { algorithm, value } = checksum;
    const partCount = partCountOf(value);
    const base64 = partCount === undefined ? value : value.slice(0, value.lastIndexOf("-"));
    const digest = Buffer.from(base64, "base64").toString("hex");
    return { hash: algorithm, proof: algorithm, partCount, digest };
  }
  const etag = bareEtag(head.etag);
  if (!head.plainEtag) return undefined;
  if (isMd5Etag(etag)) return { hash: "MD5", proof: "MD5", partCount: undefined, digest: etag };
  const partCount = partCountOf(etag);
  const digest = etag.split("-")[0] ?? "";
  if (partCount === undefined || !isMd5Etag(digest)) return undefined;
  return { hash: "MD5", proof: "MD5 of parts", partCount, digest };
}

const BLOCK_BYTES = 1024 * 1024;

export interface FileCheck {
  readonly factory: ChecksumFactory;
  readonly file: FileHandle;
  readonly bytes: number;
  readonly expected: Expectation;
  /** Sizes of the object's parts, in order; called only where they are needed. */
  readonly partSizes: (exact: boolean) => Promise<readonly number[]>;
  readonly signal: AbortSignal;
}

/** Reads the file and compares. Throws CommandError "corrupt". */
export async function verifyFile(check: FileCheck): Promise<void> {
  const { expected, bytes } = check;
  if (expected.partCount === undefined) {
    const digest = await digestRange(check, 0, bytes);
    if (Buffer.from(digest).toString("hex") !== expected.digest) throw otherBytes(expected);
    return;
  }
  const uniform = await check.partSizes(false);
  if ((await digestOfParts(check, uniform)) === expected.digest) return;
  const exact = await check.partSizes(true);
  const isSame = exact.length === uniform.length && exact.every((size, at) => size === uniform[at]);
  if (isSame || (await digestOfParts(check, exact)) !== expected.digest) throw otherBytes(expected);
}

async function digestOfParts(
  check: FileCheck,
  sizes: readonly number[],
): Promise<string | undefined> {
  const { expected, factory, bytes } = check;
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total !== bytes || sizes.length !== expected.partCount) return undefined;
  const digests: Uint8Array[] = [];
  let offset = 0;
  for (const size of sizes) {
    digests.push(await digestRange(check, offset, size));
    offset += size;
  }
  if (expected.hash === "MD5") return multipartEtag(digests).split("-")[0];
  return Buffer.from(compositeOfParts(factory, expected.hash, digests)).toString("hex");
}

async function digestRange(
  { factory, file, expected, signal }: FileCheck,
  offset: number,
  bytes: number,
): Promise<Uint8Array> {
  const hasher = factory.create(expected.hash);
  const buffer = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, Math.max(1, bytes)));
  for (let at = 0; at < bytes; at += buffer.byteLength) {
    signal.throwIfAborted();
    const view = buffer.subarray(0, Math.min(buffer.byteLength, bytes - at));
    await readFully(file, view, offset + at);
    hasher.update(view);
  }
  return hasher.digest();
}

/** Checks a body that passes by, as to stdout; only where the digest is of the whole. */
export class StreamCheck {
  readonly #expected: Expectation | undefined;
  readonly #hasher: ReturnType<ChecksumFactory["create"]> | undefined;

  constructor(factory: ChecksumFactory, expected: Expectation | undefined) {
    this.#expected = expected?.partCount === undefined ? expected : undefined;
    this.#hasher = this.#expected === undefined ? undefined : factory.create(this.#expected.hash);
  }

  update(view: Uint8Array): void {
    this.#hasher?.update(view);
  }

  /** Throws CommandError "corrupt". */
  end(): Proof {
    if (this.#hasher === undefined) return undefined;
    const expected = this.#expected;
    assert(expected !== undefined, "StreamCheck: a hasher without expectation");
    const digest = Buffer.from(this.#hasher.digest()).toString("hex");
    if (digest !== expected.digest) throw otherBytes(expected);
    return expected.proof;
  }
}

export function otherBytes({ proof }: Expectation): CommandError {
  const text = `the bytes that arrived are not those that were stored (${proof} differs)`;
  return new CommandError(ExitCode.FAILED, "corrupt", text);
}

/** MD5 of a whole file as hex, for comparisons by entity tag. */
export async function fileDigest(
  check: Omit<FileCheck, "expected" | "partSizes"> & { readonly hash: HashName },
): Promise<string> {
  const { hash, ...rest } = check;
  const expected = { hash, proof: hash, partCount: undefined, digest: "" };
  const partSizes = async (): Promise<readonly number[]> => [];
  const digest = await digestRange({ ...rest, expected, partSizes }, 0, check.bytes);
  return Buffer.from(digest).toString("hex");
}
