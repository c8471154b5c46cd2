// Golden bytes of every stored format: what this release writes, and that it reads what stands in
// test/fixtures/records. When a record gains a field, add a fixture; never change one released.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BucketRecordSchema,
  ClusterMapSchema,
  LeaseRecordSchema,
} from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  LoggedCommandSchema,
  ReplySchema,
} from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import {
  BucketSealSchema,
  BucketStateSchema,
  CompletedAgeSchema,
  GarbageIndexSchema,
  GroupMetaSchema,
  NullPointerSchema,
  OutboxEntrySchema,
  ReplicaMarkSchema,
  ReplyAgeSchema,
  StoredReplySchema,
} from "../../../services/lib/gen/dolium/record/v1/group_pb.ts";
import {
  CompletedUploadSchema,
  GarbageSchema,
  ManifestSchema,
  PartListSchema,
  PartSchema,
  RepairEntrySchema,
  UploadSchema,
  VersionSchema,
} from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { decodeChecked, encodeChecked } from "../../../services/metadata/state/checked-value.ts";
import { Digest } from "../../../services/metadata/state/digest.ts";
import * as keys from "../../../services/metadata/state/keys.ts";
import { fixture, type GoldenRecord, hex, testRecord } from "./golden.ts";

const ID = "AAECAwQFBgcICQoLDA0ODw==";
const OTHER_ID = "8PHy8/T19vf4+fr7/P3+/w==";
const KEY = "Zm9sZGVyL2tleQA=";
const CHECKSUM = {
  algorithm: "CHECKSUM_ALGORITHM_CRC64NVME",
  type: "CHECKSUM_TYPE_FULL_OBJECT",
  value: "AQIDBAUGBwg=",
};
const CHUNK = {
  chunkId: OTHER_ID,
  size: 33554432,
  diskIds: [1, 0, 300],
  placementGroup: 77,
  relaxed: true,
  relocatedMs: "1700000000001",
};
const HEADERS = {
  contentType: "text/plain",
  cacheControl: "no-store",
  userMetadata: [{ name: "a", value: "ä" }],
};
const PART = {
  partNumber: 10000,
  size: "5368709120",
  md5: ID,
  checksums: [CHECKSUM],
  manifestId: ID,
};
const DISK = {
  diskId: 3,
  diskUuid: ID,
  weight: "4000000000000",
  state: "DISK_STATE_READ_ONLY",
  stateSinceMs: "1700000000000",
};
const NODE = {
  nodeId: 2,
  name: "s-1",
  address: "s-1:9100",
  campus: "main",
  rack: "r1",
  host: "h1",
  state: "NODE_STATE_DRAINING",
  stateSinceMs: "1700000000000",
  disks: [DISK],
};
const POLICY = {
  name: "standard",
  dataShards: 4,
  parityShards: 2,
  failureDomain: "node",
  cellBytes: 131072,
};
const VERSION = {
  versionId: ID,
  nullVersion: true,
  modifiedMs: "1700000000000",
  size: "12345678901",
  etag: "0123456789abcdef0123456789abcdef-3",
  headers: HEADERS,
  checksums: [CHECKSUM],
  storageClass: "STANDARD",
  owner: "ann_org",
  partListId: ID,
  tags: [{ name: "t", value: "v" }],
};
const LOCK = { mode: "COMPLIANCE", retainUntilMs: "1800000000000", legalHold: true };
const ACL = {
  grants: [
    { user: "ann_org", permission: "FULL_CONTROL" },
    { group: "http://acs.amazonaws.com/groups/global/AllUsers", permission: "READ" },
  ],
};
const ENCRYPTION = {
  kind: "SSE_KMS",
  keyName: "pictures",
  keyVersion: 3,
  wrappedKey: OTHER_ID,
  context: "e30=",
  clientKeyMd5: ID,
  bucketKey: true,
};
const ORIGIN = { principal: "ann", remoteAddress: "::1", requestId: "R", hostId: "H" };

const REPLICATION = {
  status: "FAILED",
  destinations: [
    { bucket: "arn:aws:s3:::copies", status: "COMPLETED", versionId: "00ff" },
    { bucket: "arn:aws:s3:::refused", status: "FAILED" },
  ],
};

/** Every record with every field set once. */
const RECORDS: readonly GoldenRecord[] = [
  ["version", VersionSchema, VERSION],
  [
    "version-beside",
    VersionSchema,
    { versionId: ID, lock: LOCK, acl: ACL, encryption: ENCRYPTION, bodyNonce: ID },
  ],
  ["version-replicated", VersionSchema, { versionId: ID, replication: REPLICATION }],
  ["version-inline", VersionSchema, { versionId: ID, size: "3", inline: "YWJj" }],
  ["version-marker", VersionSchema, { versionId: ID, deleteMarker: true, modifiedMs: "1" }],
  [
    "manifest",
    ManifestSchema,
    {
      manifestId: ID,
      policy: "standard",
      dataShards: 4,
      parityShards: 2,
      cellBytes: 131072,
      size: "33554432",
      mapEpoch: "9",
      chunks: [CHUNK],
      key: KEY,
    },
  ],
  ["part", PartSchema, { ...PART, modifiedMs: "1700000000000" }],
  ["part-sealed", PartSchema, { ...PART, bodyNonce: OTHER_ID }],
  [
    "bucket-state",
    BucketStateSchema,
    {
      revision: "7",
      versioning: "VERSIONING_ENABLED",
      objectLock: true,
      defaultMode: "GOVERNANCE",
      defaultDays: 30,
      defaultYears: 1,
      events: true,
    },
  ],
  [
    "bucket-settings",
    BucketRecordSchema,
    {
      bucketId: 7,
      name: "books",
      versioning: "VERSIONING_SUSPENDED",
      objectLock: true,
      settings: [{ name: "cors", document: "PGEvPg==" }],
    },
  ],
  [
    "bucket-state-replicated",
    BucketStateSchema,
    {
      revision: "7",
      versioning: "VERSIONING_ENABLED",
      replication: [
        {
          prefix: "docs/",
          tags: [{ name: "t", value: "v" }],
          destination: "arn:aws:s3:::copies",
          deleteMarkers: true,
          kmsObjects: true,
        },
      ],
    },
  ],
  [
    "outbox-event",
    OutboxEntrySchema,
    {
      sequence: "111411200000000000",
      timeMs: "1700000000000",
      bucketId: 7,
      event: {
        name: "ObjectRemoved:DeleteMarkerCreated",
        key: KEY,
        versionId: ID,
        nullVersion: true,
        size: "5",
        etag: "e",
        origin: ORIGIN,
        deleteMarker: true,
      },
    },
  ],
  [
    "outbox-replica",
    OutboxEntrySchema,
    {
      sequence: "3",
      bucketId: 7,
      event: {
        name: "ObjectCreated:Put",
        key: KEY,
        replica: true,
        replicateTo: ["arn:aws:s3:::copies"],
      },
    },
  ],
  [
    "outbox-log",
    OutboxEntrySchema,
    { sequence: "2", bucketId: 7, accessLog: { lines: ["one", "two"] } },
  ],
  ["part-list", PartListSchema, { parts: [PART] }],
  [
    "upload",
    UploadSchema,
    {
      uploadId: ID,
      bucketId: 7,
      key: KEY,
      createdMs: "1",
      headers: HEADERS,
      storageClass: "STANDARD",
      owner: "ann_org",
      checksumAlgorithm: "CHECKSUM_ALGORITHM_SHA256",
      checksumType: "CHECKSUM_TYPE_COMPOSITE",
      touchedMs: "2",
      tags: [{ name: "t", value: "v" }],
    },
  ],
  [
    "completed-upload",
    CompletedUploadSchema,
    {
      uploadId: ID,
      key: KEY,
      etag: "e-1",
      versionId: OTHER_ID,
      completedMs: "3",
      checksums: [CHECKSUM],
      size: "4",
      partsDigest: "qrvM",
    },
  ],
  [
    "completed-upload-sealed",
    CompletedUploadSchema,
    {
      uploadId: ID,
      key: KEY,
      etag: "e-1",
      completedMs: "3",
      size: "4",
      partsDigest: "qrvM",
      encryption: { kind: "SSE_KMS", keyName: "payroll", bucketKey: true },
    },
  ],
  [
    "garbage",
    GarbageSchema,
    {
      sequence: "111411200000000000",
      freedMs: "1700000000000",
      bucketId: 7,
      key: KEY,
      manifestId: ID,
      shards: [{ chunkId: OTHER_ID, shardIndex: 5, diskId: 3 }],
      begunBeforeMs: "1700000000002",
    },
  ],
  [
    "repair-entry",
    RepairEntrySchema,
    {
      bucketId: 7,
      key: KEY,
      manifestId: ID,
      chunkId: OTHER_ID,
      sinceMs: "5",
      owed: 2,
      relaxed: true,
    },
  ],
  [
    "cluster-map",
    ClusterMapSchema,
    {
      epoch: "12",
      clusterId: "c",
      nodes: [NODE],
      policies: [POLICY],
      defaultPolicy: "standard",
      placementGroupCount: 256,
      indexGroups: [2, 3],
      nextNodeId: 3,
      nextDiskId: 4,
    },
  ],
  [
    "bucket",
    BucketRecordSchema,
    {
      bucketId: 7,
      name: "books",
      owner: "ann_org",
      createdMs: "6",
      region: "here",
      policy: "standard",
      ranges: [{ start: "", end: "bQ==", groupId: 2, epoch: "1" }],
      revision: "8",
    },
  ],
  ["lease", LeaseRecordSchema, { name: "scrub", holder: "keeper-0", expiresMs: "9", token: "10" }],
  [
    "group-meta",
    GroupMetaSchema,
    {
      lastSequence: "111411200000000001",
      fenceMs: "1",
      versions: "2",
      noncurrentVersions: "3",
      bodyBytes: "4",
      uploads: "5",
      garbageEntries: "6",
      repairEntries: "7",
      shardsOwed: "8",
      replies: "9",
      lastBucketId: 10,
    },
  ],
  [
    "group-meta-outbox",
    GroupMetaSchema,
    { outboxEntries: "1", outboxBytes: "2", outboxDropped: "3" },
  ],
  [
    "upload-beside",
    UploadSchema,
    { uploadId: ID, bucketId: 7, key: KEY, lock: LOCK, acl: ACL, encryption: ENCRYPTION },
  ],
  [
    "logged-append",
    LoggedCommandSchema,
    {
      commandId: ID,
      command: {
        appendObject: {
          bucketId: 7,
          key: KEY,
          offset: "5",
          version: { size: "3", inline: "YWJj" },
          condition: { ifVersionId: OTHER_ID },
          event: "ObjectCreated:Put",
          md5: ID,
          whole: true,
          wholeChecksums: [CHECKSUM],
        },
        origin: ORIGIN,
      },
    },
  ],
  ["stored-reply", StoredReplySchema, { index: "11", reply: "CAE=" }],
  ["reply-age", ReplyAgeSchema, { commandId: ID, appliedMs: "12" }],
  ["bucket-seal", BucketSealSchema, { sealedMs: "13" }],
  ["null-pointer", NullPointerSchema, { sequence: "14" }],
  ["garbage-index", GarbageIndexSchema, { sequences: ["15", "16"] }],
  ["completed-age", CompletedAgeSchema, { bucketId: 7, uploadId: ID, completedMs: "17" }],
  [
    "replica-mark",
    ReplicaMarkSchema,
    {
      index: "18",
      term: "19",
      confState: "AQ==",
      digest: ID,
      markedIndex: "20",
      markedDigest: OTHER_ID,
    },
  ],
  [
    "logged-put",
    LoggedCommandSchema,
    {
      commandId: ID,
      nowMs: "1700000000000",
      random: "AQIDBAUGBwg=",
      command: {
        putObject: {
          bucketId: 7,
          key: KEY,
          version: VERSION,
          condition: { ifAbsent: true, ifMatch: ["e"] },
          event: "ObjectCreated:Put",
        },
      },
    },
  ],
  [
    "reply",
    ReplySchema,
    { outcome: "OUTCOME_PRECONDITION_FAILED", message: "m", putObject: { existingEtag: "e" } },
  ],
];

const id = Buffer.from(ID, "base64");
const name = Buffer.from("a\0b", "latin1");

const ANN = { kind: 1, name: "ann_org" };

const KEYS: Readonly<Record<string, Uint8Array>> = {
  mark: keys.MARK_KEY,
  meta: keys.META_KEY,
  cluster: keys.CLUSTER_KEY,
  head: keys.headKey(7, name),
  version: keys.versionKey(7, name, 0x0102030405060708n),
  nullPointer: keys.nullPointerKey(7, name),
  body: keys.bodyKey(7, id),
  manifest: keys.manifestKey(7, id),
  partList: keys.partListKey(7, id),
  upload: keys.uploadKey(7, name, id),
  part: keys.partKey(7, id, 10_000),
  completed: keys.completedKey(7, id),
  completedAge: keys.completedAgeKey(0x0102030405060708n),
  garbage: keys.garbageKey(0x0102030405060708n),
  garbageIndex: keys.garbageIndexKey(7, id),
  repair: keys.repairKey(7, id, Buffer.from(OTHER_ID, "base64")),
  seal: keys.sealKey(7),
  bucketState: keys.bucketStateKey(7),
  outbox: keys.outboxKey(0x0102030405060708n),
  reply: keys.replyKey(id),
  replyAge: keys.replyAgeKey(513),
  bucketName: keys.bucketNameKey("books"),
  ownedBucket: keys.ownedBucketKey("ann_org", "books"),
  lease: keys.leaseKey("scrub"),
  kmsKey: keys.kmsKeyKey("pictures"),
  identity: keys.identityKey(ANN),
  identityRevision: keys.identityRevisionKey(22n, ANN),
  proof: keys.proofKey({ kind: keys.PROOF.email, value: Buffer.from("ann@example.org") }),
  reference: keys.referenceKey({ kind: 2, name: "staff_org" }, ANN),
  lastUse: keys.lastUseKey("DKABCDEFGHIJKLMNOPQR"),
  usage: keys.usageKey(7),
  importMark: keys.IMPORT_KEY,
};

for (const record of RECORDS) testRecord(record);

test("keys are written as ever", () => {
  const made = Object.fromEntries(Object.entries(KEYS).map(([key, bytes]) => [key, hex(bytes)]));
  assert.deepEqual(made, fixture("keys.json", made));
});

test("every table has a key among them, and no two share a letter", () => {
  const letters = new Set(Object.values(KEYS).map((bytes) => bytes[0]));
  assert.equal(letters.size, Object.keys(keys.TABLE).length);
  for (const letter of Object.values(keys.TABLE)) assert.ok(letters.has(letter));
});

test("stored values and digests are written as ever", () => {
  const key = keys.headKey(7, name);
  const stored = encodeChecked(key, Buffer.from("payload"));
  const digest = new Digest();
  digest.add(key, stored);
  digest.add(keys.META_KEY, encodeChecked(keys.META_KEY, new Uint8Array(0)));
  const made = { stored: hex(stored), digest: hex(digest.bytes()) };
  assert.deepEqual(made, fixture("stored-value.json", made));
  assert.equal(Buffer.from(decodeChecked(key, stored)).toString(), "payload");
});
