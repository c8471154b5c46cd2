// Entries of listings made from stored bytes are those that messages would give: any version, with
// and without each of its fields; and the gateway's reader sees what the messages say.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { listedEntries } from "../../../services/gateway/data/listed-entry.ts";
import {
  ListObjectsAnswer_EntrySchema,
  ListObjectsAnswerSchema,
} from "../../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import {
  AclSchema,
  ChecksumAlgorithm,
  ChecksumType,
  Encryption_Kind,
  Replication_Status,
  VersionSchema,
} from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { bareVersion } from "../../../services/metadata/state/queries/bare-version.ts";
import {
  PackedEntries,
  scanHead,
} from "../../../services/metadata/state/queries/packed-entries.ts";

const bytes = fc.uint8Array({ maxLength: 40 });
const text = fc.string({ unit: "grapheme", maxLength: 200 });
const number = fc.maxSafeNat().map(BigInt);
const body = fc.oneof(
  fc.record({ case: fc.constantFrom("inline" as const, "manifestId" as const), value: bytes }),
  fc.record({ case: fc.constant("partListId" as const), value: bytes }),
  fc.constant({ case: undefined }),
);
const checksum = fc.record({
  algorithm: fc.constantFrom(...Object.values(ChecksumAlgorithm)),
  type: fc.constantFrom(...Object.values(ChecksumType)),
  value: bytes,
});
const acl = create(AclSchema, { grants: [{ grantee: { case: "user", value: "ann" } }] });
const named = fc.array(fc.record({ name: text, value: text }), { maxLength: 3 });
const version = fc
  .record(
    {
      versionId: bytes,
      nullVersion: fc.boolean(),
      deleteMarker: fc.boolean(),
      modifiedMs: number,
      size: number,
      etag: text,
      headers: fc.record({ contentType: text, userMetadata: named }),
      checksums: fc.array(checksum, { maxLength: 3 }),
      storageClass: text,
      owner: text,
      body,
      tags: named,
      lock: fc.record({ legalHold: fc.boolean() }),
      acl: fc.constant(acl),
      encryption: fc.record({
        kind: fc.constantFrom(...Object.values(Encryption_Kind)),
        wrappedKey: bytes,
      }),
      bodyNonce: bytes,
      replication: fc.record({ status: fc.constantFrom(...Object.values(Replication_Status)) }),
    },
    { requiredKeys: [] },
  )
  .map((init) => create(VersionSchema, init));
const heads = fc.array(fc.record({ key: fc.uint8Array({ maxLength: 300 }), version }), {
  maxLength: 8,
});

test("packed entries decode to what a listing shows of the versions", () => {
  fc.assert(
    fc.property(heads, (entries) => {
      const packed = new PackedEntries();
      for (const { key, version: one } of entries) {
        const head = toBinary(VersionSchema, one);
        const scanned = scanHead(head);
        assert.equal(scanned.isDeleteMarker, one.deleteMarker);
        packed.add(key, head, scanned);
      }
      const expected = entries.map(({ key, version: one }) =>
        create(ListObjectsAnswer_EntrySchema, { key, version: bareVersion(one) }),
      );
      const encode = (all: typeof expected) =>
        all.map((one) => toBinary(ListObjectsAnswer_EntrySchema, one));
      assert.deepEqual(encode(packed.messages()), encode(expected));
      const shown = shownOf({ packedEntries: packed.bytes() });
      assert.deepEqual(shown, shownOf({ entries: expected }));
      assert.deepEqual([packed.count, packed.byteLength], [entries.length, packed.bytes().length]);
    }),
  );
});

function shownOf(answer: MessageInitShape<typeof ListObjectsAnswerSchema>) {
  const entries = listedEntries(create(ListObjectsAnswerSchema, answer));
  return entries.map((entry) => ({ ...entry, key: Buffer.from(entry.key) }));
}

test("a page larger than the first buffer keeps every byte", () => {
  const head = toBinary(VersionSchema, create(VersionSchema, { etag: "e".repeat(500) }));
  const packed = new PackedEntries();
  for (let at = 0; at < 300; at += 1) packed.add(Buffer.from(`${at}`), head, scanHead(head));
  const entries = listedEntries(create(ListObjectsAnswerSchema, { packedEntries: packed.bytes() }));
  assert.deepEqual(
    entries.map(({ key }) => Buffer.from(key).toString()),
    Array.from({ length: 300 }, (_, at) => String(at)),
  );
  assert.ok(entries.every(({ etag }) => etag === "e".repeat(500)));
});

test("a head that is no message is corrupt", () => {
  assert.throws(() => scanHead(Uint8Array.from([0x0a, 9, 1])), { code: "corrupt" });
});
