// `dolium cosi` as the sidecar of Kubernetes sees it: gRPC over a socket, against a real server.
// Every call comes twice, since the sidecar repeats what it does not know to have gone well.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ListBucketsCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import {
  AuthenticationType,
  type DriverGrantBucketAccessResponse,
  Identity,
  Provisioner,
} from "../../services/lib/gen/cosi/v1alpha1/cosi_pb.ts";
import { type Running, startDolium } from "../support/dolium-command.ts";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";

const ENDPOINT = "https://s3.example.org";
const NAME = "ba-0c2f1d64-9a10-4f5e-8a2b-2f0c7c1a9b3e";
const {
  driverCreateBucket,
  driverDeleteBucket,
  driverGrantBucketAccess,
  driverRevokeBucketAccess,
} = Provisioner.method;

let cluster: LocalCluster;
let folder: TemporaryFolder;
let driver: Running;
let client: Client;

before(async () => {
  folder = temporaryFolder("dolium-cosi-");
  const data = join(folder.path, "data");
  const environment = { DOLIUM_ADMIN__ADDRESS: "127.0.0.1:0" };
  cluster = await LocalCluster.start({ args: ["server", data], dataDir: data, environment });
  const socket = join(folder.path, "cosi.sock");
  driver = startDolium(["cosi", "--socket", socket, "--endpoint", ENDPOINT, "--json"], {
    folder: folder.path,
    environment: { DOLIUM_DATA: data },
  });
  client = new Client(`unix:${socket}`, credentials.createInsecure());
  await eventually("the driver answers", 120_000, async () =>
    call(Identity.method.driverGetInfo, {}),
  );
});

after(async () => {
  client?.close();
  driver?.child.kill("SIGTERM");
  await driver?.ended;
  await cluster?.stop();
  folder?.remove();
});

function call<I extends DescMessage, O extends DescMessage>(
  method: {
    readonly name: string;
    readonly parent: { readonly typeName: string };
    readonly input: I;
    readonly output: O;
  },
  request: MessageInitShape<I>,
): Promise<MessageShape<O>> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      `/${method.parent.typeName}/${method.name}`,
      (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
      (wire: Buffer) => fromBinary(method.output, wire),
      create(method.input, request),
      (error: ServiceError | null, answer?: MessageShape<O>) => {
        if (answer === undefined) reject(error ?? new Error("no answer"));
        else resolve(answer);
      },
    );
  });
}

function as({ credentials: all }: DriverGrantBucketAccessResponse): S3Client {
  const { accessKeyID = "", accessSecretKey = "" } = all.s3?.secrets ?? {};
  return new S3Client({
    endpoint: cluster.endpoints[0] ?? "",
    region: "us-east-1",
    credentials: { accessKeyId: accessKeyID, secretAccessKey: accessSecretKey },
    forcePathStyle: true,
  });
}

function grant(bucketId: string, parameters = {}): Promise<DriverGrantBucketAccessResponse> {
  const authenticationType = AuthenticationType.Key;
  return call(driverGrantBucketAccess, { bucketId, name: NAME, authenticationType, parameters });
}

test("says its name", async () => {
  const { name } = await call(Identity.method.driverGetInfo, {});
  assert.equal(name, "dolium.objectstorage.k8s.io");
});

test("makes a bucket once, and refuses the same name with other parameters", async () => {
  const request = { name: "claimed", parameters: { quotaBytes: "1000000" } };
  for (const _attempt of ["first", "again"]) {
    const { bucketId, bucketInfo } = await call(driverCreateBucket, request);
    assert.equal(bucketId, "claimed");
    assert.equal(bucketInfo?.type.case, "s3");
  }
  const other = { name: "claimed", parameters: { quotaBytes: "5" } };
  await assert.rejects(call(driverCreateBucket, other), { code: status.ALREADY_EXISTS });
  const wrong = { name: "another", parameters: { quota: "5" } };
  await assert.rejects(call(driverCreateBucket, wrong), { code: status.INVALID_ARGUMENT });
  await assert.rejects(call(driverCreateBucket, { name: "" }), { code: status.INVALID_ARGUMENT });
});

test("an access is good for its bucket alone, and the last key is the one that counts", async () => {
  const first = await grant("claimed");
  assert.deepEqual(Object.keys(first.credentials), ["s3"]);
  assert.equal(first.credentials.s3?.secrets.endpoint, ENDPOINT);
  const put = new PutObjectCommand({ Bucket: "claimed", Key: "k", Body: "v" });
  await as(first).send(put);
  await cluster.s3().send(new PutObjectCommand({ Bucket: "claimed", Key: "other", Body: "v" }));
  await call(driverCreateBucket, { name: "not-claimed" });
  const elsewhere = new PutObjectCommand({ Bucket: "not-claimed", Key: "k", Body: "v" });
  await assert.rejects(as(first).send(elsewhere), { name: "AccessDenied" });
  const second = await grant("claimed", { access: "read" });
  assert.equal(second.accountId, first.accountId);
  await assert.rejects(as(first).send(put), { name: "InvalidAccessKeyId" });
  await assert.rejects(as(second).send(put), { name: "AccessDenied" });
});

test("refuses accesses that cannot be", async () => {
  await assert.rejects(grant("no-such-bucket"), { code: status.NOT_FOUND });
  await assert.rejects(grant("claimed", { access: "all" }), { code: status.INVALID_ARGUMENT });
  const byService = { bucketId: "claimed", name: NAME, authenticationType: AuthenticationType.IAM };
  await assert.rejects(call(driverGrantBucketAccess, byService), { code: status.INVALID_ARGUMENT });
});

test("an access ends, twice; users of others are never touched", async () => {
  const access = await grant("claimed");
  const request = { bucketId: "claimed", accountId: access.accountId };
  await call(driverRevokeBucketAccess, request);
  await call(driverRevokeBucketAccess, request);
  await assert.rejects(as(access).send(new ListBucketsCommand({})), { name: "InvalidAccessKeyId" });
  const other = { bucketId: "claimed", accountId: "alice_umich" };
  await assert.rejects(call(driverRevokeBucketAccess, other), { code: status.INVALID_ARGUMENT });
});

test("an empty bucket is deleted, twice; one with objects is not", async () => {
  await call(driverDeleteBucket, { bucketId: "not-claimed" });
  await call(driverDeleteBucket, { bucketId: "not-claimed" });
  const full = call(driverDeleteBucket, { bucketId: "claimed" });
  await assert.rejects(full, { code: status.FAILED_PRECONDITION });
});
