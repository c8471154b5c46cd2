// The source of a copy: parsed, authorized and read like a GET of its own, with its own conditions.
// One parser for every form of the header, and the version that was checked is the one that is
// read.
import { toSafeNumber, utf8 } from "../../lib/base/bytes.ts";
import { PUT_BODY_BYTES_MAX } from "../../lib/base/limits.ts";
import { type CopySource, parseCopySource } from "../../lib/s3/addressing.ts";
import { type ChecksumFactory, HasherSet, type HashName } from "../../lib/s3/checksums.ts";
import { evaluateCopy, parseCopyConditions } from "../../lib/s3/conditions.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import type { HeaderField } from "../../lib/s3/headers.ts";
import { type ByteRange, checkCopySourceRange } from "../../lib/s3/http-range.ts";
import { preconditionFailed } from "../error-mapper.ts";
import type { ServiceContext } from "../operation.ts";
import { hidingMissing } from "./access/access-check.ts";
import { inBucket } from "./bucket-access.ts";
import { storedSource } from "./bucket-view.ts";
import { type Extent, findObject, objectBytes, type StoredObject } from "./object-reader.ts";
import { chargeFields, checkPayer } from "./request-charge.ts";
import { withClientKey } from "./sealing-read.ts";
import { CURRENT_VERSION, parseVersionId, shownVersionId, versionIdFields } from "./version-id.ts";

const CONDITIONS = [
  "x-amz-copy-source-if-match",
  "x-amz-copy-source-if-none-match",
  "x-amz-copy-source-if-modified-since",
  "x-amz-copy-source-if-unmodified-since",
] as const;

export interface OpenCopySource {
  readonly found: StoredObject;
  /** What is copied; undefined for no bytes. */
  readonly range: ByteRange | undefined;
  readonly size: number;
  /** Of the version that the header names, as it is written there. */
  readonly versionId: string | undefined;
}

/**
 * Finds what x-amz-copy-source names; `range` copies a part of it. Throws InvalidArgument,
 * NoSuchBucket, NoSuchKey, NoSuchVersion, AccessDenied, PreconditionFailed, InvalidRequest (over 5
 * GiB).
 */
export async function openCopySource(
  context: ServiceContext,
  range: ByteRange | undefined,
): Promise<OpenCopySource> {
  const { headers, receivedMs } = context.request;
  const source = storedSource(context, parseCopySource(headers.get("x-amz-copy-source") ?? ""));
  const found = withClientKey(context, await findSource(context, source, range), "source");
  const { version } = found;
  const subject = { etag: version.etag, lastModifiedMs: toSafeNumber(version.modifiedMs) };
  if (evaluateCopy(parseCopyConditions(headers, receivedMs), subject) === "precondition-failed") {
    throw preconditionFailed(CONDITIONS.find((name) => headers.has(name)) ?? "");
  }
  if (range !== undefined) checkCopySourceRange(range, found.size);
  const whole = found.size === 0 ? undefined : { first: 0, last: found.size - 1 };
  const copied = range ?? whole;
  const size = copied === undefined ? 0 : copied.last - copied.first + 1;
  if (size > PUT_BODY_BYTES_MAX) {
    throw new S3Error(
      "InvalidRequest",
      "The specified copy source is larger than the maximum allowable size for a copy source: " +
        `${PUT_BODY_BYTES_MAX}`,
    );
  }
  return { found, range: copied, size, versionId: source.versionId };
}

async function findSource(
  context: ServiceContext,
  source: CopySource,
  range: ByteRange | undefined,
): Promise<StoredObject> {
  const question = {
    name: source.bucket,
    permission: source.versionId === undefined ? "s3:GetObject" : "s3:GetObjectVersion",
    key: source.key,
    versionId: source.versionId,
    ownerHeader: "x-amz-source-expected-bucket-owner",
    fresh: false,
  } as const;
  const versionId = parseVersionId(source.versionId);
  const key = utf8(source.key);
  const extent: Extent =
    range === undefined ? { kind: "all" } : { kind: "bytes", first: range.first, last: range.last };
  return inBucket(context, question, {
    work: ({ bucket, access }) =>
      hidingMissing(context, bucket, async () => {
        checkPayer(context, bucket);
        const found = await findObject(context, { bucket, key, versionId, extent, withBody: true });
        access.settle(found?.version);
        return existing(found, { ...source, isCurrent: versionId === CURRENT_VERSION });
      }),
    mayRepeat: () => true,
  });
}

function existing(
  found: StoredObject | undefined,
  { key, isCurrent }: { readonly key: string; readonly isCurrent: boolean },
): StoredObject {
  if (found !== undefined && !found.version.deleteMarker) return found;
  if (found !== undefined && !isCurrent) {
    throw new S3Error(
      "InvalidRequest",
      "The source of a copy request may not specifically refer to a delete marker by version id.",
    );
  }
  throw new S3Error(isCurrent ? "NoSuchKey" : "NoSuchVersion", undefined, {
    details: [["Key", key]],
  });
}

/**
 * x-amz-copy-source-version-id, where the source is in a bucket with versioning, and that it was
 * charged for.
 */
export function sourceFields(context: ServiceContext, { found }: OpenCopySource): HeaderField[] {
  const { bucket } = found.place;
  const versionId = shownVersionId(bucket, found.version);
  return [
    ...versionIdFields(versionId, "x-amz-copy-source-version-id"),
    ...chargeFields(context, bucket),
  ];
}

/** The bytes to copy, hashed on their way. */
export class CopiedBytes {
  readonly #context: ServiceContext;
  readonly #source: OpenCopySource;
  readonly #hashers: HasherSet;

  constructor(
    context: ServiceContext,
    source: OpenCopySource,
    hashing: { readonly checksums: ChecksumFactory; readonly names: readonly HashName[] },
  ) {
    this.#context = context;
    this.#source = source;
    this.#hashers = new HasherSet(hashing.checksums, hashing.names);
  }

  /** Only after the stream has ended. */
  digest(name: HashName): Uint8Array {
    return this.#hashers.digest(name);
  }

  async *stream(): AsyncGenerator<Uint8Array, void, undefined> {
    const { found, range } = this.#source;
    if (range === undefined) return;
    for await (const view of objectBytes(this.#context, found, range)) {
      this.#hashers.update(view);
      yield view;
    }
  }
}
