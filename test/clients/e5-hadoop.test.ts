// Hadoop's S3A file system, as Spark and Hive write through it: folders and their renames, files in
// parts, seeks, recursive lists and deletes, and the committer whose output appears when the job is
// committed. The checks are in java/HadoopFiles.java. Afterwards nothing is left behind in the
// bucket: no upload under way, nothing of what was deleted or renamed.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import {
  CreateBucketCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
} from "@aws-sdk/client-s3";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";
import { startServer, type TestServer } from "../support/test-server.ts";
import { awsSdk } from "./aws-sdk.ts";
import { findJavaLibrary, type JavaLibrary, runJava } from "./java-library.ts";
import { rowTest } from "./row-test.ts";

const Bucket = "hadoop-files";
const S3A: JavaLibrary = { name: "Hadoop S3A", folder: "hadoop", artifact: "hadoop-aws" };
const hadoop = await findJavaLibrary(S3A);
let folder: TemporaryFolder;
let server: TestServer;

before(async () => {
  if (hadoop.absent !== undefined) return;
  folder = temporaryFolder("dolium-hadoop-");
  server = await startServer();
});

after(async () => {
  await server?.stop();
  folder?.remove();
});

rowTest(hadoop, ["E5", "B4"], "folders, parts, seeks, renames, magic committer", async () => {
  const s3 = awsSdk(server);
  await s3.send(new CreateBucketCommand({ Bucket }));
  await runJava(S3A, "HadoopFiles.java", {
    environment: {
      BUCKET: Bucket,
      FOLDER: folder.path,
      ENDPOINT: server.endpoint,
      AWS_ACCESS_KEY_ID: server.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
      AWS_DEFAULT_REGION: server.region,
    },
  });
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
  assert.deepEqual(Uploads, []);
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }));
  const keys = Contents.map(({ Key }) => Key ?? "");
  // `job/` is Hadoop's own: it keeps the marker of a folder that was made before its files.
  assert.deepEqual(keys, ["copies/large", "job/", "job/_SUCCESS", "job/part-0", "parts/large"]);
  s3.destroy();
});
