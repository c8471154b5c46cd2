// One index group in memory, for tests of the gateway: versions, uploads, parts and manifests of
// any number of buckets, with the outcomes that the comments of
// proto/dolium/record/v1/command.proto name.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { compareBytes, toHex } from "../../../services/lib/base/bytes.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import type {
  GetObjectQuery,
  GetUploadQuery,
  ListObjectsQuery,
  ListPartsQuery,
  ListUploadsQuery,
  QueryRequest,
  QueryResponseSchema,
} from "../../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import {
  type Command,
  type CompleteUpload,
  type Condition,
  type DeleteObjects,
  type DeleteObjects_Target,
  Outcome,
  type PutObject,
  type PutPart,
  type Reply,
  ReplySchema,
} from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import {
  type CompletedUpload,
  CompletedUploadSchema,
  type Manifest,
  type Part,
  type PartReference,
  type Upload,
  type Version,
} from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";

type Answer = NonNullable<MessageInitShape<typeof QueryResponseSchema>["kind"]>;

interface OpenUpload {
  readonly upload: Upload;
  readonly parts: Map<number, Part>;
}

interface StoredKey {
  readonly bucketId: number;
  readonly key: Uint8Array;
  readonly version: Version;
}

function nameOf(bucketId: number, key: Uint8Array): string {
  return `${bucketId}/${toHex(key)}`;
}

export class MemoryGroup {
  readonly sealed = new Set<number>();
  readonly #objects = new Map<string, StoredKey>();
  readonly #manifests = new Map<string, Manifest>();
  readonly #partLists = new Map<string, readonly PartReference[]>();
  readonly #uploads = new Map<string, OpenUpload>();
  readonly #completed = new Map<string, CompletedUpload>();
  readonly #nowMs: () => number;
  /** Manifests that GetObject hands out at once; the rest must be asked for. */
  manifestsPerAnswer = 2;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  apply(command: Command["kind"]): Reply {
    switch (command.case) {
      case "putObject":
        return this.#putObject(command.value);
      case "deleteObjects":
        return this.#deleteObjects(command.value);
      case "createUpload": {
        const { upload } = command.value;
        if (upload === undefined) throw new StoreError("invalid", "no upload");
        if (this.sealed.has(upload.bucketId)) return reply(Outcome.SEALED);
        this.#uploads.set(toHex(upload.uploadId), { upload, parts: new Map() });
        return reply(Outcome.OK);
      }
      case "putPart":
        return this.#putPart(command.value);
      case "completeUpload":
        return this.#complete(command.value);
      case "abortUpload": {
        const wasThere = this.#uploads.delete(toHex(command.value.uploadId));
        return reply(wasThere ? Outcome.OK : Outcome.NO_SUCH_UPLOAD);
      }
      case "sealBucket": {
        const { bucketId } = command.value;
        const isEmpty = ![...this.#objects.values()].some((one) => one.bucketId === bucketId);
        if (isEmpty) this.sealed.add(bucketId);
        return reply(isEmpty ? Outcome.OK : Outcome.NOT_EMPTY);
      }
      default:
        throw new StoreError("invalid", `no index command: ${command.case}`);
    }
  }

  ask(query: QueryRequest["kind"]): Answer {
    const bucketId = (query.value as { bucketId?: number } | undefined)?.bucketId ?? 0;
    if (this.sealed.has(bucketId)) throw new StoreError("sealed", `bucket ${bucketId} is sealed`);
    switch (query.case) {
      case "getObject":
        return { case: "getObject", value: this.#getObject(query.value) };
      case "getManifest": {
        const ids = query.value.manifestIds;
        const manifests = ids.flatMap((id) => this.#manifests.get(toHex(id)) ?? []);
        return { case: "getManifest", value: { manifests } };
      }
      case "listObjects":
        return { case: "listObjects", value: this.#listObjects(query.value) };
      case "getUpload":
        return { case: "getUpload", value: this.#getUpload(query.value) };
      case "listParts":
        return { case: "listParts", value: this.#listParts(query.value) };
      case "listUploads":
        return { case: "listUploads", value: this.#listUploads(query.value) };
      default:
        throw new StoreError("invalid", `no index query: ${query.case}`);
    }
  }

  /** Forgets a manifest, as an overwrite between two queries of a read would. */
  dropManifest(manifestId: Uint8Array): void {
    this.#manifests.delete(toHex(manifestId));
  }

  #current(bucketId: number, key: Uint8Array): Version | undefined {
    return this.#objects.get(nameOf(bucketId, key))?.version;
  }

  #store(bucketId: number, key: Uint8Array, version: Version): void {
    version.modifiedMs = BigInt(this.#nowMs());
    this.#objects.set(nameOf(bucketId, key), { bucketId, key, version });
  }

  #putObject({ bucketId, key, version, manifest, condition }: PutObject): Reply {
    if (version === undefined) throw new StoreError("invalid", "no version");
    if (this.sealed.has(bucketId)) return reply(Outcome.SEALED);
    const outcome = evaluate(condition, this.#current(bucketId, key));
    if (outcome !== Outcome.OK) return reply(outcome);
    if (manifest !== undefined) this.#manifests.set(toHex(manifest.manifestId), manifest);
    this.#store(bucketId, key, version);
    const value = { modifiedMs: version.modifiedMs };
    return create(ReplySchema, { outcome, kind: { case: "putObject", value } });
  }

  #deleteObjects({ bucketId, targets }: DeleteObjects): Reply {
    if (this.sealed.has(bucketId)) return reply(Outcome.SEALED);
    const results = targets.map((target) => this.#deleteOne(bucketId, target));
    const kind = { case: "deleteObjects", value: { results } } as const;
    return create(ReplySchema, { outcome: Outcome.OK, kind });
  }

  #deleteOne(
    bucketId: number,
    { key, versionId, condition }: DeleteObjects_Target,
  ): { outcome: Outcome; existed: boolean } {
    const current = this.#current(bucketId, key);
    const outcome = evaluate(condition, current);
    const isNamed = versionId.byteLength === 0 || Buffer.from(versionId).toString() === "null";
    if (outcome !== Outcome.OK || !isNamed) return { outcome, existed: false };
    this.#objects.delete(nameOf(bucketId, key));
    return { outcome, existed: current !== undefined };
  }

  #putPart({ uploadId, part, manifest }: PutPart): Reply {
    const open = this.#uploads.get(toHex(uploadId));
    if (open === undefined) return reply(Outcome.NO_SUCH_UPLOAD);
    if (part === undefined || manifest === undefined) throw new StoreError("invalid", "no part");
    part.modifiedMs = BigInt(this.#nowMs());
    open.parts.set(part.partNumber, part);
    this.#manifests.set(toHex(manifest.manifestId), manifest);
    const value = { modifiedMs: part.modifiedMs };
    return create(ReplySchema, { outcome: Outcome.OK, kind: { case: "putPart", value } });
  }

  #complete(command: CompleteUpload): Reply {
    const { bucketId, key, uploadId, parts, version, condition, partsDigest } = command;
    const name = toHex(uploadId);
    const earlier = this.#completed.get(name);
    if (earlier !== undefined && compareBytes(earlier.partsDigest, partsDigest) === 0) {
      const kind = { case: "completeUpload", value: { earlier } } as const;
      return create(ReplySchema, { outcome: Outcome.OK, kind });
    }
    const open = this.#uploads.get(name);
    if (open === undefined || version === undefined) return reply(Outcome.NO_SUCH_UPLOAD);
    const isSame = parts.every((one) => {
      const part = open.parts.get(one.partNumber);
      return part !== undefined && toHex(part.manifestId) === toHex(one.manifestId);
    });
    if (!isSame) return reply(Outcome.INVALID_PART);
    const outcome = evaluate(condition, this.#current(bucketId, key));
    if (outcome !== Outcome.OK) return reply(outcome);
    this.#partLists.set(name, parts);
    this.#store(bucketId, key, version);
    this.#uploads.delete(name);
    const { etag, size, checksums, modifiedMs } = version;
    this.#completed.set(
      name,
      create(CompletedUploadSchema, { uploadId, key, etag, size, checksums, partsDigest }),
    );
    const kind = { case: "completeUpload", value: { modifiedMs } } as const;
    return create(ReplySchema, { outcome: Outcome.OK, kind });
  }

  #getObject(query: GetObjectQuery): Extract<Answer, { case: "getObject" }>["value"] {
    const { bucketId, key, versionId, withBody } = query;
    const version = this.#current(bucketId, key);
    const isNamed = versionId.byteLength === 0 || Buffer.from(versionId).toString() === "null";
    if (version === undefined || !isNamed) return {};
    if (!withBody) return { version };
    const { body } = version;
    if (body.case === "manifestId") {
      const manifest = this.#manifests.get(toHex(body.value));
      return { version, manifests: manifest === undefined ? [] : [manifest] };
    }
    if (body.case !== "partListId") return { version };
    const parts = [...(this.#partLists.get(toHex(body.value)) ?? [])];
    const manifests = parts
      .slice(0, this.manifestsPerAnswer)
      .flatMap(({ manifestId }) => this.#manifests.get(toHex(manifestId)) ?? []);
    return { version, partList: { parts }, manifests };
  }

  #listObjects(query: ListObjectsQuery): Extract<Answer, { case: "listObjects" }>["value"] {
    const keys = [...this.#objects.values()].filter((one) => one.bucketId === query.bucketId);
    const page = cutPage(keys, query);
    return {
      entries: page.items.map(({ key, version }) => ({ key, version })),
      commonPrefixes: page.prefixes,
      truncated: page.next !== undefined,
      ...(page.next === undefined ? {} : { nextStartAfter: page.next }),
    };
  }

  #getUpload(query: GetUploadQuery): Extract<Answer, { case: "getUpload" }>["value"] {
    const name = toHex(query.uploadId);
    const open = this.#uploads.get(name);
    const completed = this.#completed.get(name);
    if (open === undefined || compareBytes(open.upload.key, query.key) !== 0) {
      return completed === undefined ? {} : { completed };
    }
    const wanted = query.allParts
      ? [...open.parts.keys()].sort((a, b) => a - b)
      : query.partNumbers;
    return {
      upload: open.upload,
      parts: wanted.flatMap((partNumber) => open.parts.get(partNumber) ?? []),
    };
  }

  #listParts(query: ListPartsQuery): Extract<Answer, { case: "listParts" }>["value"] {
    const open = this.#uploads.get(toHex(query.uploadId));
    if (open === undefined) return {};
    const all = [...open.parts.values()]
      .filter(({ partNumber }) => partNumber > query.afterPartNumber)
      .sort((a, b) => a.partNumber - b.partNumber);
    const parts = all.slice(0, query.limit);
    return { upload: open.upload, parts, truncated: all.length > query.limit };
  }

  #listUploads(query: ListUploadsQuery): Extract<Answer, { case: "listUploads" }>["value"] {
    const uploads = [...this.#uploads.values()]
      .map(({ upload }) => upload)
      .filter(({ bucketId }) => bucketId === query.bucketId)
      .sort((a, b) => compareBytes(a.key, b.key) || compareBytes(a.uploadId, b.uploadId))
      .filter(({ key, uploadId }) => {
        const order = compareBytes(key, query.keyMarker);
        if (order !== 0) return order > 0;
        return (
          query.uploadIdMarker.byteLength > 0 && compareBytes(uploadId, query.uploadIdMarker) > 0
        );
      });
    const page = cutPage(uploads, { ...query, startAfter: new Uint8Array(0) });
    const last = page.items.at(-1);
    const isPrefixLast =
      page.next !== undefined && compareBytes(page.next, last?.key ?? page.next) > 0;
    return {
      uploads: page.items,
      commonPrefixes: page.prefixes,
      truncated: page.next !== undefined,
      ...(page.next === undefined ? {} : { nextKeyMarker: page.next }),
      ...(last === undefined || isPrefixLast ? {} : { nextUploadIdMarker: last.uploadId }),
    };
  }
}

function reply(outcome: Outcome): Reply {
  return create(ReplySchema, { outcome });
}

function evaluate(condition: Condition | undefined, current: Version | undefined): Outcome {
  if (condition === undefined) return Outcome.OK;
  const { ifAbsent, ifMatch, ifMatchSize, ifMatchModifiedS } = condition;
  if (ifAbsent && current !== undefined) return Outcome.PRECONDITION_FAILED;
  const needsObject =
    ifMatch.length > 0 || ifMatchSize !== undefined || ifMatchModifiedS !== undefined;
  if (!needsObject) return Outcome.OK;
  if (current === undefined) return Outcome.NO_SUCH_KEY;
  const isTag = ifMatch.length === 0 || ifMatch.includes("*") || ifMatch.includes(current.etag);
  const isSize = ifMatchSize === undefined || ifMatchSize === current.size;
  const isTime = ifMatchModifiedS === undefined || ifMatchModifiedS === current.modifiedMs / 1000n;
  return isTag && isSize && isTime ? Outcome.OK : Outcome.PRECONDITION_FAILED;
}

interface PageCut<T> {
  readonly items: T[];
  readonly prefixes: Uint8Array[];
  readonly next: Uint8Array | undefined;
}

/** A page of `all`, which need not be sorted by key: keys and common prefixes in byte order. */
function cutPage<T extends { readonly key: Uint8Array }>(
  all: readonly T[],
  query: {
    readonly prefix: Uint8Array;
    readonly delimiter: Uint8Array;
    readonly startAfter: Uint8Array;
    readonly limit: number;
  },
): PageCut<T> {
  const { prefix, delimiter, startAfter, limit } = query;
  const sorted = all.toSorted((a, b) => compareBytes(a.key, b.key));
  const items: T[] = [];
  const prefixes: Uint8Array[] = [];
  let last: Uint8Array | undefined;
  for (const item of sorted) {
    const { key } = item;
    if (compareBytes(key.subarray(0, prefix.byteLength), prefix) !== 0) continue;
    const found =
      delimiter.byteLength === 0
        ? -1
        : Buffer.from(key).indexOf(Buffer.from(delimiter), prefix.byteLength);
    const common = found < 0 ? undefined : key.subarray(0, found + delimiter.byteLength);
    if (compareBytes(common ?? key, startAfter) <= 0) continue;
    if (common !== undefined && last !== undefined && compareBytes(common, last) === 0) continue;
    if (items.length + prefixes.length === limit) return { items, prefixes, next: last };
    if (common === undefined) items.push(item);
    else prefixes.push(common);
    last = common ?? key;
  }
  return { items, prefixes, next: undefined };
}
