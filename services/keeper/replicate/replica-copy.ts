// Copies one version to a destination: its bytes are read from a gateway of this cluster, which
// opens what is sealed, and stream into the destination; a body in parts goes part by part, so that
// entity tag and checksums of the replica are those of the version. Memory does not grow with the
// body.
import { fromHex, toSafeNumber, utf8 } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import {
  ChecksumType,
  Encryption_Kind,
  type PartReference,
  type Version,
} from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { HeaderField } from "../../lib/s3/headers.ts";
import type { AclGrant } from "../../lib/s3/settings/acl.ts";
import type { ReplicationDestination } from "../../lib/s3/settings/replication.ts";
import { algorithmName, digestedBody } from "./replica-digest.ts";
import { completionDocument, type SentPart } from "./replica-documents.ts";
import { REPLICA_MARK, replicaHeaders } from "./replica-headers.ts";
import { answered, documentBody, type S3Call, type S3Endpoint } from "./s3-endpoint.ts";

export interface ReplicaSource {
  readonly bucket: string;
  readonly key: Uint8Array;
  /** As the version's id stands in URLs. */
  readonly versionId: string;
  readonly version: Version;
  /** Of a body in parts, ascending. */
  readonly parts: readonly PartReference[];
}

export interface ReplicaCopy {
  readonly source: ReplicaSource;
  readonly destination: ReplicationDestination;
  readonly home: S3Endpoint;
  readonly there: S3Endpoint;
  /** The version's list as the destination shall have it; undefined: lists are not carried. */
  readonly grants: readonly AclGrant[] | undefined;
  /** Wall clock. */
  readonly nowMs: number;
  readonly idleMs: number;
  readonly signal: AbortSignal;
  /** Told of what could not be tidied up after a failure. */
  readonly onLeftover: (error: unknown) => void;
}

const PLAIN_MD5 = /^[0-9a-f]{32}$/;

/** Resolves with the replica's version id, empty when the destination told none. */
export async function copyVersion(copy: ReplicaCopy): Promise<string> {
  const { version, parts } = copy.source;
  if (version.deleteMarker) {
    const { headers } = await copy.there.call(
      callOf(copy, { method: "DELETE", headers: [REPLICA_MARK] }),
    );
    return versionIdOf(headers);
  }
  return parts.length > 0 ? copyParts(copy) : copyWhole(copy);
}

/** A request about the version at the destination. */
export function callOf(
  { source, destination, idleMs, signal }: ReplicaCopy,
  more: Omit<S3Call, "bucket" | "key" | "idleMs" | "signal">,
): S3Call {
  const { key } = source;
  return { bucket: destination.place.bucket, key, idleMs, signal, ...more };
}

function versionIdOf(headers: ReadonlyMap<string, string>): string {
  return headers.get("x-amz-version-id") ?? "";
}

async function copyWhole(copy: ReplicaCopy): Promise<string> {
  const { source } = copy;
  const { version } = source;
  const size = toSafeNumber(version.size);
  const bytes = sourceBytes(copy, { first: 0, size });
  const { checksums } = version;
  const digested = digestedBody(size, bytes, { checksums, md5: md5Of(version) });
  const { isFramed } = digested;
  const headers = [...replicaHeaders(copy, { isFramed }), ...digested.headers];
  const { body } = digested;
  const answer = await copy.there.call(callOf(copy, { method: "PUT", headers, body }));
  return versionIdOf(answer.headers);
}

/** Undefined where the entity tag says nothing of the plain bytes. */
function md5Of({ etag, encryption }: Version): Uint8Array | undefined {
  if (!PLAIN_MD5.test(etag) || encryption?.kind === Encryption_Kind.SSE_KMS) return undefined;
  return fromHex(etag);
}

/** Bytes of the source, which fail rather than end early. */
async function* sourceBytes(
  { source, home, idleMs, signal }: ReplicaCopy,
  { first, size }: { readonly first: number; readonly size: number },
): AsyncGenerator<Uint8Array> {
  if (size === 0) return;
  const { bucket, key, versionId } = source;
  const answer = await home.open({
    method: "GET",
    bucket,
    key,
    query: [["versionId", versionId]],
    headers: [["Range", `bytes=${first}-${first + size - 1}`]],
    idleMs,
    signal,
  });
  let left = size;
  for await (const view of answer.body) {
    left -= view.byteLength;
    yield view;
  }
  if (left !== 0) throw new StoreError("unavailable", "the source has another length");
}

async function copyParts(copy: ReplicaCopy): Promise<string> {
  const { source } = copy;
  const algorithm = checksumOfParts(source);
  const { document } = await copy.there.call(
    callOf(copy, {
      method: "POST",
      query: [["uploads", ""]],
      headers: [...replicaHeaders(copy, { isFramed: false }), ...algorithm],
    }),
  );
  const uploadId = answered(document, "UploadId");
  try {
    return await sendParts(copy, uploadId, algorithm.length > 0);
  } catch (error) {
    await abandon(copy, uploadId);
    throw error;
  }
}

/** Headers that ask for the version's own kind of checksum, where every part has one. */
function checksumOfParts({ version, parts }: ReplicaSource): readonly HeaderField[] {
  const [wanted] = version.checksums;
  const name = wanted === undefined ? undefined : algorithmName(wanted.algorithm);
  if (wanted === undefined || name === undefined) return [];
  const hasAll = parts.every(({ checksums }) =>
    checksums.some(({ algorithm }) => algorithm === wanted.algorithm),
  );
  if (!hasAll) return [];
  const type = wanted.type === ChecksumType.COMPOSITE ? "COMPOSITE" : "FULL_OBJECT";
  return [
    ["x-amz-checksum-algorithm", name],
    ["x-amz-checksum-type", type],
  ];
}

async function sendParts(
  copy: ReplicaCopy,
  uploadId: string,
  hasChecksums: boolean,
): Promise<string> {
  const { version, parts } = copy.source;
  const isKms = version.encryption?.kind === Encryption_Kind.SSE_KMS;
  const sent: SentPart[] = [];
  let first = 0;
  for (const part of parts) {
    const size = toSafeNumber(part.size);
    const digested = digestedBody(size, sourceBytes(copy, { first, size }), {
      checksums: hasChecksums ? part.checksums : [],
      md5: isKms ? undefined : part.md5,
    });
    const framing: HeaderField[] = digested.isFramed ? [["Content-Encoding", "aws-chunked"]] : [];
    const { headers } = await copy.there.call(
      callOf(copy, {
        method: "PUT",
        query: [
          ["partNumber", String(part.partNumber)],
          ["uploadId", uploadId],
        ],
        headers: [...framing, ...digested.headers],
        body: digested.body,
      }),
    );
    const etag = headers.get("etag");
    if (etag === undefined) throw new StoreError("unavailable", "a part without entity tag");
    sent.push({ part, etag });
    first += size;
  }
  const body = documentBody(utf8(completionDocument(sent, hasChecksums)));
  const query: HeaderField[] = [["uploadId", uploadId]];
  const { headers, document } = await copy.there.call(
    callOf(copy, { method: "POST", query, body }),
  );
  answered(document, "ETag");
  return versionIdOf(headers);
}

/** What is left behind is a stale upload, which the destination ends by its own rules. */
async function abandon(copy: ReplicaCopy, uploadId: string): Promise<void> {
  const query: HeaderField[] = [["uploadId", uploadId]];
  try {
    await copy.there.call(callOf(copy, { method: "DELETE", query }));
  } catch (error) {
    copy.onLeftover(error);
  }
}
