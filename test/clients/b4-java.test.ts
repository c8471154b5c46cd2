// The AWS SDK for Java 2 with its defaults: CRC32 in trailers of signed chunks over http and of
// unsigned ones over TLS, other checksums, both styles of addresses, multipart uploads by hand and
// by the transfer manager, presigned URLs that curl uses. The checks are in java/SecondSdk.java.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { runCommand } from "../support/run-command.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";
import { startServer, type TestServer } from "../support/test-server.ts";
import { findJavaLibrary, type JavaLibrary, runJava } from "./java-library.ts";
import { findClient, rowTest } from "./row-test.ts";
import { startTlsFront, type TlsFront } from "./tls-front.ts";

const HOST = "s3.dolium.test";
const SDK: JavaLibrary = { name: "AWS SDK for Java 2", folder: "java-2", artifact: "s3" };
const java = await findJavaLibrary(SDK);
const curl = await findClient({ name: "curl", program: "curl", args: ["--version"] });
let folder: TemporaryFolder;
let server: TestServer;
let tls: TlsFront;
let printed = "";

before(async () => {
  if (java.absent !== undefined) return;
  folder = temporaryFolder("dolium-java-");
  server = await startServer({ DOLIUM_S3__DOMAINS: HOST });
  tls = await startTlsFront(server.endpoint, [HOST]);
  // Stands for DNS: the JVM looks names up here and nowhere else.
  const hosts = join(folder.path, "hosts");
  writeFileSync(hosts, `127.0.0.1 ${HOST} java-new.${HOST} localhost\n`);
  printed = await runJava(SDK, "SecondSdk.java", {
    flags: [`-Djdk.net.hosts.file=${hosts}`],
    environment: {
      ENDPOINT: server.endpoint,
      NAMED_ENDPOINT: `http://${HOST}:${new URL(server.endpoint).port}`,
      SECURE_ENDPOINT: `https://127.0.0.1:${tls.port}`,
      CERTIFICATE: tls.certificatePath,
      AWS_ACCESS_KEY_ID: server.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
      AWS_DEFAULT_REGION: server.region,
    },
  }).catch(String);
});

after(async () => {
  await tls?.stop();
  await server?.stop();
  folder?.remove();
});

rowTest(java, ["B4", "C4", "E3", "E5"], "default checksums, styles, parts, lists", async () => {
  assert.ok(printed.endsWith("ok all\n"), printed);
});

rowTest([java, curl], ["B4"], "presigned PUT and GET by curl", async () => {
  const put = /^put (.*)$/m.exec(printed)?.[1] ?? "";
  const get = /^get (.*)$/m.exec(printed)?.[1] ?? "";
  await runCommand("curl", ["-sS", "-f", "-X", "PUT", "--data-binary", "by url", put]);
  const answer = await runCommand("curl", ["-sS", "-f", "-w", " %{content_type}", get]);
  assert.equal(answer, "by url text/x-mine");
  const wrong = ["-sS", "-w", " %{http_code}", get.replace("by%20url", "another")];
  assert.match(await runCommand("curl", wrong), /SignatureDoesNotMatch.* 403$/s);
});
