// Golden bytes of the records of the directory of identities, of named keys, and of what buckets
// hold. When a record gains a field, add a fixture; never change one released.
import { KmsKeyRecordSchema } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  BucketStateSchema,
  GroupMetaSchema,
  ReplicaMarkSchema,
} from "../../../services/lib/gen/dolium/record/v1/group_pb.ts";
import {
  BucketUsageSchema,
  IdentityRecordSchema,
  LastUseSchema,
} from "../../../services/lib/gen/dolium/record/v1/identity_pb.ts";
import { type GoldenRecord, testRecord } from "./golden.ts";

const ID = "AAECAwQFBgcICQoLDA0ODw==";
const OTHER_ID = "8PHy8/T19vf4+fr7/P3+/w==";
const DIGEST = Buffer.alloc(32, 0xd1).toString("base64");

/** Every record with every field set once. */
const RECORDS: readonly GoldenRecord[] = [
  [
    "kms-key",
    KmsKeyRecordSchema,
    {
      name: "pictures",
      createdMs: "1700000000000",
      versions: [{ version: 1, wrappedKey: OTHER_ID, createdMs: "1700000000000" }],
    },
  ],
  ["group-meta-identities", GroupMetaSchema, { identityRevision: "21" }],
  [
    "bucket-state-quota",
    BucketStateSchema,
    { revision: "7", quotaBytes: "1000000000000", quotaObjects: "500" },
  ],
  ["replica-mark-usage", ReplicaMarkSchema, { index: "18", digest: ID, usageIndex: "18" }],
  [
    "bucket-usage",
    BucketUsageSchema,
    { objects: "1", versions: "2", bytes: "3", uploadBytes: "4" },
  ],
  [
    "identity-user",
    IdentityRecordSchema,
    {
      revision: "22",
      user: {
        name: "ann_org",
        displayName: "Ann",
        email: "ann@example.org",
        createdMs: "1700000000000",
        disabled: true,
        administrator: true,
        parent: "bob_org",
        groups: ["staff_org"],
        policies: [{ name: "own", document: "{}" }],
        attachedPolicies: ["readers"],
        boundary: "most",
        limits: {
          bytesMax: "1",
          objectsMax: "2",
          bucketsMax: 3,
          requestsPerSecond: 4,
          uploadBytesPerSecond: "5",
          downloadBytesPerSecond: "6",
          noBuckets: true,
        },
        keys: [
          {
            accessKeyId: "DKABCDEFGHIJKLMNOPQR",
            sealedSecret: OTHER_ID,
            createdMs: "7",
            disabled: true,
            description: "laptop",
            expiresMs: "8",
          },
        ],
        tokens: [
          {
            tokenId: "0123456789abcdef",
            name: "backup",
            digest: DIGEST,
            createdMs: "9",
            expiresMs: "10",
            buckets: ["books"],
            access: "TOKEN_ACCESS_READ",
            networks: ["10.0.0.0/8"],
            disabled: true,
          },
        ],
        certificates: [
          { fingerprint: OTHER_ID, subject: "CN=ann", createdMs: "11", expiresMs: "12" },
        ],
        sessionsFromMs: "13",
        federated: ["https://idp.example.org 42"],
      },
    },
  ],
  [
    "identity-group",
    IdentityRecordSchema,
    {
      revision: "23",
      group: {
        name: "staff_org",
        createdMs: "1",
        policies: [{ name: "own", document: "{}" }],
        attachedPolicies: ["readers"],
      },
    },
  ],
  [
    "identity-policy",
    IdentityRecordSchema,
    {
      revision: "24",
      policy: { name: "readers", document: "{}", description: "d", createdMs: "1", updatedMs: "2" },
    },
  ],
  [
    "identity-role-bounded",
    IdentityRecordSchema,
    { revision: "25", role: { name: "visitor", trustPolicy: "{}", boundary: "most" } },
  ],
  [
    "identity-sessions",
    IdentityRecordSchema,
    {
      revision: "27",
      sessions: {
        name: "ann_org",
        fromMs: "1700000000000",
        ended: [{ digest: DIGEST, expiresMs: "1700000000001" }],
      },
    },
  ],
  [
    "identity-role",
    IdentityRecordSchema,
    {
      revision: "25",
      role: {
        name: "visitor",
        description: "d",
        createdMs: "1",
        trustPolicy: "{}",
        policies: [{ name: "own", document: "{}" }],
        attachedPolicies: ["readers"],
        sessionSecondsMax: 3600,
      },
    },
  ],
  [
    "identity-deleted",
    IdentityRecordSchema,
    { revision: "26", deleted: { kind: "IDENTITY_KIND_USER", name: "ann_org" } },
  ],
  [
    "last-use",
    LastUseSchema,
    { id: "DKABCDEFGHIJKLMNOPQR", usedMs: "1", origin: "::1", action: "s3:GetObject" },
  ],
];

for (const record of RECORDS) testRecord(record);
