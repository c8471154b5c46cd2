// HTTPS on the S3 port: certificates by name, changed while it runs, plain HTTP beside it, and
// clients who are known by a certificate of their own.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { copyFile, mkdir } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect } from "node:tls";
import { create } from "@bufbuild/protobuf";
import { ClientCertificateSchema } from "../../services/lib/gen/dolium/record/v1/identity_pb.ts";
import { createTlsListener, type TlsListener } from "../../services/lib/host/tls-listener.ts";
import { MemoryLog } from "../unit/gateway/memory-gateway.ts";
import { s3Settings } from "../unit/gateway/s3-settings.ts";
import { type CertificateFiles, Certificates } from "../unit/host/certificates.ts";
import { Caller, pathOf } from "./caller.ts";
import { makeBucket } from "./harness.ts";
import { IdentityGateway } from "./identity-gateway.ts";

let certificates: Certificates;
let server: CertificateFiles;
let tls: TlsListener;
let here: IdentityGateway;
let plain: Caller;
let bucket: string;
const log = new MemoryLog();

before(async () => {
  certificates = await Certificates.make();
  server = await certificates.issue("server", ["DNS:localhost", "IP:127.0.0.1"]);
  const directory = join(certificates.folder, "names");
  await mkdir(directory);
  const named = await certificates.issue("campus", [
    "DNS:s3.campus.example",
    "DNS:*.s3.campus.example",
  ]);
  await copyFile(named.certificate, join(directory, "campus.crt"));
  await copyFile(named.key, join(directory, "campus.key"));
  tls = createTlsListener(
    {
      certificateFile: server.certificate,
      keyFile: server.key,
      certificateDirectory: directory,
      clientCaFile: certificates.authority,
      pinnedClients: false,
      reloadMs: 3_600_000,
    },
    log,
  );
  const settings = s3Settings({ address: "127.0.0.1", port: 0 });
  here = await IdentityGateway.start({
    identity: { tokens: true },
    s3: { tls: { ...settings.tls, plainPort: 0 } },
    dependencies: { tls },
  });
  const keys = await here.createUser("alice_umich");
  const { plainPort } = here.gateway.running;
  const endpoint = `http://127.0.0.1:${plainPort}`;
  plain = new Caller({ endpoint, ...keys, region: "us-east-1" });
  bucket = await makeBucket(plain);
  await plain.put(bucket, "key", "text");
});
after(async () => {
  await here.stop();
  tls.close();
  await certificates.remove();
});

interface Secure {
  readonly target?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly client?: CertificateFiles;
}

/** An answer over TLS, trusting the test's authority. */
async function ask(how: Secure = {}): Promise<{ readonly status: number; readonly text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = request(`${here.endpoint}${how.target ?? pathOf(bucket, "key")}`, {
    agent: false,
    ca: readFileSync(certificates.authority),
    headers: how.headers ?? {},
    ...(how.client === undefined
      ? {}
      : { cert: readFileSync(how.client.certificate), key: readFileSync(how.client.key) }),
  });
  outgoing.on("response", resolve).on("error", reject).end();
  const response = await promise;
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece);
  return { status: response.statusCode ?? 0, text: Buffer.concat(pieces).toString() };
}

/** Common name of the certificate that is shown for a server name. */
async function shownFor(servername: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({
    host: "127.0.0.1",
    port: here.gateway.running.port,
    servername,
    rejectUnauthorized: false,
  });
  socket.once("secureConnect", () => resolve(String(socket.getPeerCertificate().subject.CN)));
  socket.once("error", reject);
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

async function register(name: string, files: CertificateFiles): Promise<void> {
  const x509 = new X509Certificate(readFileSync(files.certificate));
  const fingerprint = Buffer.from(x509.fingerprint256.replaceAll(":", ""), "hex");
  const record = create(ClientCertificateSchema, {
    ...{ fingerprint, subject: x509.subject, createdMs: 1n },
    expiresMs: BigInt(Date.parse(x509.validTo)),
  });
  await here.change(name, (user) => ({ ...user, certificates: [...user.certificates, record] }));
}

test("serves HTTPS, and plain HTTP on its own port", async () => {
  const signed = plain.presign({
    target: pathOf(bucket, "key"),
    host: new URL(here.endpoint).host,
  });
  assert.deepEqual(await ask({ target: signed }), { status: 200, text: "text" });
  assert.equal((await plain.get(bucket, "key")).text, "text");
  assert.equal((await ask()).status, 403, "nobody in particular");
});

test("plain HTTP on the port of TLS is cut off", async () => {
  const endpoint = here.endpoint.replace("https:", "http:");
  const answer = await fetch(`${endpoint}/`).then(
    (response) => response.status,
    () => 0,
  );
  assert.ok(answer === 0 || answer === 400, String(answer));
});

test("shows the certificate of the name that is asked for", async () => {
  assert.equal(await shownFor("localhost"), "server");
  assert.equal(await shownFor("s3.campus.example"), "campus");
  assert.equal(await shownFor("bucket.s3.campus.example"), "campus");
  assert.equal(await shownFor("other.example"), "server");
});

test("a registered certificate of the authority is its user, without a signature", async () => {
  const client = await certificates.issue("alice", ["DNS:alice.example"]);
  assert.equal((await ask({ client })).status, 403, "not registered yet");
  await register("alice_umich", client);
  assert.deepEqual(await ask({ client }), { status: 200, text: "text" });
  const page = await ask({ client, headers: { Origin: "https://evil.example" } });
  assert.equal(page.status, 403, "a page of another origin uses no certificate");
  const site = await ask({ client, headers: { "Sec-Fetch-Site": "cross-site" } });
  assert.equal(site.status, 403);
  await here.change("alice_umich", (user) => ({ ...user, certificates: [] }));
  assert.equal((await ask({ client })).status, 403, "taken away");
});

test("a certificate that signed itself is nobody, registered or not", async () => {
  const client = await certificates.selfSigned("mallory");
  await register("alice_umich", client);
  assert.equal((await ask({ client })).status, 403);
});

test("policies know whether a request came over TLS", async () => {
  const Statement = {
    ...{ Effect: "Deny", Principal: "*", Action: "s3:GetObject" },
    ...{ Resource: `arn:aws:s3:::${bucket}/*` },
    Condition: { Bool: { "aws:SecureTransport": "false" } },
  };
  const body = JSON.stringify({ Version: "2012-10-17", Statement });
  const put = await plain.call({ method: "PUT", target: `/${bucket}?policy`, body });
  assert.equal(put.status, 204, put.text);
  try {
    assert.equal((await plain.get(bucket, "key")).code, "AccessDenied");
    const host = new URL(here.endpoint).host;
    const signed = plain.presign({ target: pathOf(bucket, "key"), host });
    assert.equal((await ask({ target: signed })).status, 200);
  } finally {
    await plain.call({ method: "DELETE", target: `/${bucket}?policy` });
  }
});

test("changed files count from the next connection on, broken ones change nothing", async () => {
  const next = await certificates.issue("renewed", ["DNS:localhost", "IP:127.0.0.1"]);
  await copyFile(next.certificate, server.certificate);
  tls.reload();
  assert.ok(
    log.lines.some(({ level }) => level === "error"),
    "a key of another certificate",
  );
  assert.equal(await shownFor("localhost"), "server");
  await copyFile(next.key, server.key);
  tls.reload();
  assert.equal(await shownFor("localhost"), "renewed");
  assert.equal((await ask()).status, 403, "and it still serves");
});

test("a certificate of openssl req -x509 serves, and pinned clients sign themselves", async () => {
  const own = await certificates.selfSigned("own-server");
  const client = await certificates.selfSigned("own-client");
  const files = { certificateFile: own.certificate, keyFile: own.key, certificateDirectory: "" };
  const options = { ...files, clientCaFile: "", pinnedClients: true, reloadMs: 3_600_000 };
  const listener = createTlsListener(options, log);
  const other = await IdentityGateway.start({ dependencies: { tls: listener } });
  try {
    await other.createUser("bob_wayne");
    const callStatus = async (shown: CertificateFiles | undefined): Promise<number> => {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      const identity =
        shown === undefined
          ? {}
          : { cert: readFileSync(shown.certificate), key: readFileSync(shown.key) };
      request(`${other.endpoint}/`, {
        agent: false,
        ca: readFileSync(own.certificate),
        checkServerIdentity: () => undefined,
        ...identity,
      })
        .on("response", (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        })
        .on("error", reject)
        .end();
      return promise;
    };
    assert.equal(await callStatus(undefined), 403);
    assert.equal(await callStatus(client), 403, "not registered");
    const x509 = new X509Certificate(readFileSync(client.certificate));
    const fingerprint = Buffer.from(x509.fingerprint256.replaceAll(":", ""), "hex");
    const expiresMs = BigInt(Date.parse(x509.validTo));
    const record = { fingerprint, subject: "CN=bob", createdMs: 1n, expiresMs };
    await other.change("bob_wayne", (user) => ({
      ...user,
      certificates: [create(ClientCertificateSchema, record)],
    }));
    assert.equal(await callStatus(client), 200);
    await other.change("bob_wayne", (user) => ({
      ...user,
      certificates: [create(ClientCertificateSchema, { ...record, expiresMs: 1000n })],
    }));
    assert.equal(await callStatus(client), 403, "over");
  } finally {
    await other.stop();
    listener.close();
  }
});

test("files that cannot be used are refused at the start, by name", () => {
  const options = {
    ...{ certificateFile: server.certificate, keyFile: server.key, certificateDirectory: "" },
    ...{ clientCaFile: "", pinnedClients: false, reloadMs: 60_000 },
  };
  const missing = join(certificates.folder, "missing.crt");
  for (const [changes, file] of [
    [{ certificateFile: missing }, "missing.crt"],
    [{ keyFile: certificates.authority }, "server.crt"],
    [{ clientCaFile: missing }, "missing.crt"],
    [{ certificateDirectory: missing }, "missing.crt"],
  ] as const) {
    assert.throws(() => createTlsListener({ ...options, ...changes }, log), {
      code: "invalid",
      message: new RegExp(file.replace(".", "\\.")),
    });
  }
});
