// s3cmd with the configuration file that Pithos documented: SigV2 over TLS and virtual hosts, the
// same file under SigV4, and plain HTTP through a proxy (absolute-form request lines).
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { runCommand } from "../support/run-command.ts";
import { seededBytes } from "../support/seeded-bytes.ts";
import { startServer, type TestServer } from "../support/test-server.ts";
import { findClient, rowTest } from "./row-test.ts";
import { type Front, startTlsFront, startTunnelProxy, type TlsFront } from "./tls-front.ts";

const MIB = 1024 * 1024;
const s3cmd = await findClient({ name: "s3cmd", program: "s3cmd", args: ["--version"] });
const HOST = "s3.dolium.test";

let server: TestServer;
let tls: TlsFront;
let tunnel: Front;
let folder: string;

before(async () => {
  if (s3cmd.absent !== undefined) return;
  server = await startServer({
    DOLIUM_S3__DOMAINS: HOST,
    DOLIUM_S3__OBJECT_OWNERSHIP: "ObjectWriter",
    DOLIUM_S3__BLOCK_PUBLIC_ACCESS: "false",
  });
  tls = await startTlsFront(server.endpoint, [HOST, `*.${HOST}`]);
  tunnel = await startTunnelProxy(tls.port);
  folder = mkdtempSync(join(tmpdir(), "dolium-s3cmd-"));
});

after(async () => {
  await tunnel?.stop();
  await tls?.stop();
  await server?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** The file of the Pithos manual; its proxy stands for DNS. */
function configuration(name: string, more: Readonly<Record<string, string>>): string {
  const settings = {
    access_key: server.accessKeyId,
    secret_key: server.secretAccessKey,
    host_base: HOST,
    host_bucket: `%(bucket)s.${HOST}`,
    use_https: "True",
    ca_certs_file: tls.certificatePath,
    proxy_host: "127.0.0.1",
    proxy_port: String(tunnel.port),
    ...more,
  };
  const path = join(folder, name);
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}`);
  writeFileSync(path, `[default]\n${lines.join("\n")}\n`);
  return path;
}

function caller(config: string): (...args: string[]) => Promise<string> {
  return (...args) => runCommand("s3cmd", ["-c", config, "--no-progress", ...args]);
}

/** What the manual shows, in a bucket of its own; one folder of files for each name. */
async function walk(config: string, bucket: string, isShort = false): Promise<void> {
  const run = caller(config);
  const place = join(folder, bucket);
  mkdirSync(join(place, "tree", "deep"), { recursive: true });
  const small = join(place, "small ü.txt");
  writeFileSync(small, "small");
  await run("mb", `s3://${bucket}`);
  await run("put", small, `s3://${bucket}/small ü.txt`);
  assert.match(await run("ls", `s3://${bucket}`), /s3:\/\/.*\/small ü\.txt/);
  assert.match(await run("la"), new RegExp(`s3://${bucket}/small ü\\.txt`));
  await run("get", `s3://${bucket}/small ü.txt`, join(place, "copy.txt"));
  assert.equal(readFileSync(join(place, "copy.txt"), "utf8"), "small");

  if (!isShort) await walkOn(config, bucket, place);
  await run("rm", "--recursive", "--force", `s3://${bucket}/`);
  assert.equal((await run("ls", "--recursive", `s3://${bucket}`)).trim(), "");
}

/** A large file in parts, trees, copies and removals. */
async function walkOn(config: string, bucket: string, place: string): Promise<void> {
  const run = caller(config);
  const large = seededBytes(bucket, 12 * MIB + 5);
  writeFileSync(join(place, "large"), large);
  await run("put", "--multipart-chunk-size-mb=5", join(place, "large"), `s3://${bucket}/large`);
  await run("get", `s3://${bucket}/large`, join(place, "large.copy"));
  assert.ok(readFileSync(join(place, "large.copy")).equals(large));

  for (let at = 0; at < 8; at += 1) {
    writeFileSync(join(place, "tree", at % 2 === 0 ? "deep" : ".", `file ${at}`), `body ${at}`);
  }
  await run("sync", `${place}/tree/`, `s3://${bucket}/tree/`);
  const second = await run("sync", `${place}/tree/`, `s3://${bucket}/tree/`);
  assert.ok(!second.includes("upload:"), `nothing is left to send: ${second}`);
  await run("sync", `s3://${bucket}/tree/`, `${place}/tree.copy/`);
  assert.equal(readFileSync(join(place, "tree.copy/deep/file 4"), "utf8"), "body 4");

  await run("mv", `s3://${bucket}/large`, `s3://${bucket}/moved`);
  assert.match(await run("info", `s3://${bucket}/moved`), /File size:\s+12582917/);
  await assert.rejects(run("info", `s3://${bucket}/large`), /404/);
  await run("rm", `s3://${bucket}/moved`);
}

rowTest(s3cmd, ["A1", "B4", "C4", "D12", "E3"], "SigV2 over TLS, virtual hosts", async () => {
  const config = configuration("v2", { signature_v2: "True" });
  await walk(config, "s3cmd-two");
  await caller(config)("rb", "s3://s3cmd-two");
});

rowTest(
  s3cmd,
  ["A2"],
  "SigV4 from the same file; both versions on one bucket at once",
  async () => {
    const two = configuration("two", { signature_v2: "True" });
    const four = configuration("four", {});
    await walk(four, "s3cmd-four");
    const puts = [two, four, two, four].map(async (config, at) => {
      const path = join(folder, `both ${at}`);
      writeFileSync(path, `both ${at}`);
      await caller(config)("put", path, `s3://s3cmd-four/both/${at}`);
    });
    await Promise.all(puts);
    const listings = await Promise.all(
      [two, four].map((config) => caller(config)("ls", "s3://s3cmd-four/both/")),
    );
    assert.equal(listings[0], listings[1]);
    assert.equal(listings[0]?.trim().split("\n").length, 4);
  },
);

rowTest(s3cmd, ["A3", "A4"], "plain HTTP through a proxy that is the gateway", async () => {
  const { hostname, port } = new URL(server.endpoint);
  const plain = { use_https: "False", proxy_host: hostname, proxy_port: port };
  await walk(configuration("proxy two", { ...plain, signature_v2: "True" }), "s3cmd-proxy-two");
  await walk(configuration("proxy four", plain), "s3cmd-proxy-four", true);
});

rowTest(s3cmd, ["A1", "D12"], "setacl: public and private again", async () => {
  const run = caller(configuration("lists", { signature_v2: "True" }));
  const path = join(folder, "public");
  writeFileSync(path, "public");
  await run("mb", "s3://s3cmd-lists");
  await run("put", path, "s3://s3cmd-lists/public");
  for (const at of ["s3://s3cmd-lists/public", "s3://s3cmd-lists"]) {
    await run("setacl", "--acl-public", at);
    assert.match(await run("info", at), /ACL:\s+\*anon\*: READ/);
    await run("setacl", "--acl-private", at);
    assert.doesNotMatch(await run("info", at), /\*anon\*/);
  }
});

rowTest(s3cmd, ["A1"], "a wrong secret is refused under both signatures", async () => {
  for (const version of ["True", "False"]) {
    const config = configuration(`wrong ${version}`, {
      signature_v2: version,
      secret_key: "not-the-secret",
    });
    await assert.rejects(caller(config)("ls"), /403 \(SignatureDoesNotMatch\)/);
  }
});
