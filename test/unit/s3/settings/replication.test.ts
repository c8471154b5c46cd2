// The replication document: what is taken and written again, and what is refused with which words.
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../../../services/lib/base/bytes.ts";
import {
  parseReplicaArn,
  parseReplication,
  parseStoredReplication,
  type ReplicationConfiguration,
  type ReplicationOptions,
  replicationDocument,
} from "../../../../services/lib/s3/settings/replication.ts";
import { destinationOf } from "../../../../services/lib/s3/settings/replication-evaluation.ts";

const OPTIONS: ReplicationOptions = {
  makeId: (index) => `made-${index}`,
  isTarget: (name) => name === "away",
  isStorageClass: (name) => name === "COLD",
};

const BUCKET = "<Bucket>arn:aws:s3:::copies</Bucket>";
const MARKERS = "<DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>";
const KMS =
  "<SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status>" +
  "</SseKmsEncryptedObjects></SourceSelectionCriteria>";
const REPLICA_KEY =
  "<EncryptionConfiguration><ReplicaKmsKeyID>there</ReplicaKmsKeyID></EncryptionConfiguration>";

interface RuleText {
  readonly head?: string;
  readonly filter?: string;
  readonly destination?: string;
  readonly rest?: string;
}

function rule({ head, filter, destination, rest }: RuleText = {}): string {
  const parts = [
    head ?? "<Priority>1</Priority>",
    filter ?? "<Filter></Filter>",
    "<Status>Enabled</Status>",
    `<Destination>${destination ?? BUCKET}</Destination>`,
    rest ?? MARKERS,
  ];
  return `<Rule>${parts.join("")}</Rule>`;
}

const documentOf = (...rules: readonly string[]): Uint8Array =>
  utf8(`<ReplicationConfiguration><Role>r</Role>${rules.join("")}</ReplicationConfiguration>`);

const parse = (...rules: readonly string[]): ReplicationConfiguration =>
  parseReplication(documentOf(...rules), OPTIONS);

test("a configuration survives being written and read again", () => {
  const tag = (key: string): string => `<Tag><Key>${key}</Key><Value>v</Value></Tag>`;
  const status = (name: string): string => `<${name}><Status>Enabled</Status></${name}>`;
  const parsed = parse(
    rule({
      head: "<ID>one</ID><Priority>1</Priority>",
      filter: "<Filter><Prefix>a/</Prefix></Filter>",
    }),
    rule({ head: "<Priority>2</Priority>", filter: `<Filter>${tag("k")}</Filter>` }),
    rule({
      head: "<Priority>3</Priority>",
      filter: `<Filter><And><Prefix>p</Prefix>${tag("k")}${tag("l")}</And></Filter>`,
    }),
    rule({
      head: "<Priority>4</Priority>",
      destination:
        "<Bucket>arn:dolium:replication:::away/copies</Bucket><Account>1</Account>" +
        `<StorageClass>ANY</StorageClass>${REPLICA_KEY}` +
        "<AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation>" +
        "<Metrics><Status>Disabled</Status></Metrics>",
      rest: `${KMS}${status("DeleteMarkerReplication")}${status("ExistingObjectReplication")}`,
    }),
  );
  assert.deepEqual(parseStoredReplication(utf8(replicationDocument(parsed))), parsed);
  assert.deepEqual(
    parsed.rules.map(({ id }) => id),
    ["one", "made-1", "made-2", "made-3"],
  );
  const old = parse(rule({ head: "", filter: "<Prefix>x</Prefix>", rest: "" }));
  assert.equal(old.rules[0]?.deleteMarkers, true, "the older form takes delete markers along");
  assert.deepEqual(parseStoredReplication(utf8(replicationDocument(old))), old);
});

test("ARNs name a bucket here, or of a target", () => {
  for (const [arn, target, bucket] of [
    ["arn:aws:s3:::copies", undefined, "copies"],
    ["arn:dolium:replication:::away/copies", "away", "copies"],
    ["arn:minio:replication::away:copies", "away", "copies"],
    ["arn:minio:replication:us-east-1:away:copies", "away", "copies"],
  ] as const) {
    assert.deepEqual(parseReplicaArn(arn), { target, bucket }, arn);
  }
  for (const arn of [
    "copies",
    "arn:aws:s3:::",
    "arn:aws:s3:::NO",
    "arn:aws:s3:::a/b",
    "arn:dolium:replication:::copies",
  ]) {
    assert.equal(parseReplicaArn(arn), undefined, arn);
  }
});

test("what does not go together is refused", () => {
  const disabled = "<DeleteReplication><Status>Enabled</Status></DeleteReplication>";
  const markers = MARKERS.replace("Disabled", "Enabled");
  const tagged = "<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>";
  const modifications =
    "<SourceSelectionCriteria><ReplicaModifications><Status>Enabled</Status>" +
    "</ReplicaModifications></SourceSelectionCriteria>";
  const time =
    "<ReplicationTime><Status>Enabled</Status><Time><Minutes>15</Minutes></Time></ReplicationTime>";
  for (const [code, rules] of [
    ["MalformedXML", []],
    ["MalformedXML", [rule({ filter: "" })]],
    ["MalformedXML", [rule({ filter: "<Prefix>a</Prefix><Filter></Filter>" })]],
    ["MalformedXML", [rule({ filter: "<Filter><And></And></Filter>" })]],
    ["MalformedXML", [rule({ filter: "<Filter>logs/</Filter>" })]],
    ["MalformedXML", [rule({ rest: `${MARKERS}<Other/>` })]],
    ["InvalidRequest", [rule({ head: "" })]],
    ["InvalidRequest", [rule({ rest: "" })]],
    ["InvalidRequest", [rule({ filter: tagged, rest: markers })]],
    ["InvalidRequest", [rule(), rule()]],
    ["InvalidRequest", [rule(), rule({ head: "", filter: "<Prefix></Prefix>", rest: "" })]],
    ["InvalidRequest", [rule({ rest: `${MARKERS}${KMS}` })]],
    ["InvalidRequest", [rule({ destination: `${BUCKET}${REPLICA_KEY}` })]],
    ["InvalidArgument", [rule({ destination: "<Bucket>arn:aws:s3:::NO</Bucket>" })]],
    [
      "InvalidArgument",
      [rule({ destination: "<Bucket>arn:minio:replication::lost:b-b</Bucket>" })],
    ],
    ["InvalidArgument", [rule({ head: `<ID>${"x".repeat(256)}</ID><Priority>1</Priority>` })]],
    ["InvalidStorageClass", [rule({ destination: `${BUCKET}<StorageClass>ANY</StorageClass>` })]],
    ["NotImplemented", [rule({ rest: `${MARKERS}${disabled}` })]],
    ["NotImplemented", [rule({ rest: `${MARKERS}${modifications}` })]],
    ["NotImplemented", [rule({ destination: `${BUCKET}${time}` })]],
  ] as const) {
    assert.throws(() => parse(...rules), { code }, `${code}: ${rules.join("")}`);
  }
  const ids = ["1", "2"].map((priority) =>
    rule({ head: `<ID>same</ID><Priority>${priority}</Priority>` }),
  );
  assert.throws(() => parse(...ids), { code: "InvalidArgument" });
});

test("the rule of the highest priority says how a version goes to a destination", () => {
  const to = (storageClass: string): string =>
    `${BUCKET}<StorageClass>${storageClass}</StorageClass>`;
  const options = { ...OPTIONS, isStorageClass: () => true };
  const { rules } = parseReplication(
    documentOf(
      rule({ head: "<Priority>1</Priority>", destination: to("ONE") }),
      rule({
        head: "<Priority>5</Priority>",
        filter: "<Filter><Prefix>a</Prefix></Filter>",
        destination: to("FIVE"),
      }),
      rule({ head: "<Priority>3</Priority>", destination: to("THREE") }),
    ),
    options,
  );
  const arn = "arn:aws:s3:::copies";
  const classFor = (key: string): string | undefined =>
    destinationOf(rules, { key, tags: [] }, arn)?.storageClass;
  assert.equal(classFor("b"), "THREE");
  assert.equal(classFor("ab"), "FIVE");
  assert.equal(destinationOf(rules, { key: "a", tags: [] }, "arn:aws:s3:::other"), undefined);
});
