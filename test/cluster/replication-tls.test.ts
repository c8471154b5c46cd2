// Replication within a local cluster whose S3 port has TLS only, with a certificate that names no
// address of this machine and that no authority of the system has signed: the keeper finds and
// trusts its own gateways by itself.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { Agent } from "node:https";
import { after, before, test } from "node:test";
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutBucketReplicationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { seededBytes } from "../support/seeded-bytes.ts";
import { Certificates } from "../unit/host/certificates.ts";

const TIMEOUT_MS = 180_000;
let certificates: Certificates;
let cluster: LocalCluster;
let s3: S3Client;

before(async () => {
  certificates = await Certificates.make();
  const { certificate, key } = await certificates.issue("gateways", ["DNS:s3.example.test"]);
  cluster = await LocalCluster.start({
    args: ["dev", "--gateways", "1", "--metadata", "1", "--storage", "3"],
    environment: {
      DOLIUM_S3__TLS__CERTIFICATE_FILE: certificate,
      DOLIUM_S3__TLS__KEY_FILE: key,
      DOLIUM_NOTIFY__POLL_MS: "100",
    },
  });
  const { accessKeyId, secretAccessKey, region, endpoints } = cluster.ready;
  const ca = await readFile(certificates.authority);
  s3 = new S3Client({
    endpoint: endpoints[0]?.replace(/^http:/, "https:") ?? "",
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    requestHandler: { httpsAgent: new Agent({ ca, checkServerIdentity: () => undefined }) },
  });
});

after(async () => {
  s3?.destroy();
  await cluster?.stop();
  await certificates?.remove();
});

test("replicas arrive over the cluster's own TLS", async () => {
  for (const Bucket of ["source", "copies"]) {
    await s3.send(new CreateBucketCommand({ Bucket }));
    const VersioningConfiguration = { Status: "Enabled" } as const;
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  }
  const Rules = [
    {
      ID: "all",
      Priority: 1,
      Status: "Enabled" as const,
      Filter: { Prefix: "" },
      DeleteMarkerReplication: { Status: "Disabled" as const },
      Destination: { Bucket: "arn:aws:s3:::copies" },
    },
  ];
  const ReplicationConfiguration = { Role: "arn:aws:iam:::role/any", Rules };
  await s3.send(new PutBucketReplicationCommand({ Bucket: "source", ReplicationConfiguration }));
  const Body = seededBytes("tls", 700_000);
  await s3.send(new PutObjectCommand({ Bucket: "source", Key: "a", Body }));
  await eventually("the version has its replica", TIMEOUT_MS, async () => {
    const { ReplicationStatus } = await s3.send(
      new HeadObjectCommand({ Bucket: "source", Key: "a" }),
    );
    return ReplicationStatus === "COMPLETED" ? true : undefined;
  });
  const copy = await s3.send(new GetObjectCommand({ Bucket: "copies", Key: "a" }));
  assert.ok(Buffer.from((await copy.Body?.transformToByteArray()) ?? []).equals(Buffer.from(Body)));
});
