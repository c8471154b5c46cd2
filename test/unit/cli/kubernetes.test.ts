// What the chart's jobs do, against an API server that keeps objects in memory and answers as
// Kubernetes does: 404 and 409 where they belong, base64 in Secrets, merge patches.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { type KubernetesApi, kubernetesApi } from "../../../services/cli/kubernetes/api-client.ts";
import {
  growClaims,
  parseClaimSize,
  quantityBytes,
} from "../../../services/cli/kubernetes/grow.ts";
import { type InitWishes, initSecrets } from "../../../services/cli/kubernetes/init.ts";
import { type TemporaryFolder, temporaryFolder } from "../../support/temporary-folder.ts";

type Json = Record<string, unknown>;

const TOKEN = "token of the pod";
const objects = new Map<string, Json>();
/** "METHOD path" of every change. */
let changes: string[] = [];
let refusals = 0;
let server: Server;
let account: TemporaryFolder;
let api: KubernetesApi;

before(async () => {
  account = temporaryFolder("dolium-account-");
  writeFileSync(join(account.path, "token"), `${TOKEN}\n`);
  server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const text = Buffer.concat(pieces).toString("utf8");
      const isKnown = request.headers.authorization === `Bearer ${TOKEN}`;
      const body: Json = text === "" ? {} : JSON.parse(text);
      const { method = "", url = "" } = request;
      const [status, answer] = isKnown ? serve(method, url, body) : refusal(401, "Unauthorized");
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  api = kubernetesApi({ server: `http://127.0.0.1:${port}`, account: account.path });
});

after(() => {
  server.close();
  account.remove();
});

beforeEach(() => {
  objects.clear();
  changes = [];
  refusals = 0;
});

function refusal(status: number, message: string): [number, Json] {
  return [status, { kind: "Status", message }];
}

function serve(method: string, url: string, body: Json): [number, Json] {
  if (method !== "GET") changes.push(`${method} ${url}`);
  if (method === "POST") {
    const { name } = body.metadata as { name: string };
    if (objects.has(`${url}/${name}`)) return refusal(409, `secrets "${name}" already exists`);
    objects.set(`${url}/${name}`, body);
    return [201, body];
  }
  const found = objects.get(url);
  if (found === undefined) return refusal(404, `${url} not found`);
  if (method === "PATCH" && refusals > 0) {
    refusals -= 1;
    return refusal(403, "only dynamically provisioned pvc can be resized");
  }
  if (method === "PATCH") objects.set(url, merged(found, body));
  if (method === "DELETE") objects.delete(url);
  return [200, objects.get(url) ?? {}];
}

function merged(target: Json, patch: Json): Json {
  const isMap = (value: unknown): value is Json => typeof value === "object" && value !== null;
  const entries = Object.entries(patch).map(([key, value]) => {
    const old = target[key];
    return [key, isMap(value) && isMap(old) ? merged(old, value) : value];
  });
  return { ...target, ...Object.fromEntries(entries) };
}

const WISHES: InitWishes = {
  cluster: "s3-dolium",
  prefix: "s3-dolium",
  rootSecret: "s3-dolium-root",
  rootUser: undefined,
  clusterSecret: "s3-dolium-cluster",
  internalTls: true,
  nodes: ["metadata/s3-dolium-0-metadata", "storage/s3-dolium-0-storage"],
  s3Secret: "s3-dolium-s3-tls",
  s3Hosts: ["s3.example.org", "localhost"],
};

function init(wishes: Partial<InitWishes> = {}): Promise<string[]> {
  const place = { api, namespace: "ns", instance: "s3-dolium" };
  return initSecrets(place, { ...WISHES, ...wishes });
}

function secret(name: string): Map<string, string> {
  const { data }: Json = objects.get(`/api/v1/namespaces/ns/secrets/${name}`) ?? {};
  assert.ok(typeof data === "object" && data !== null, `no Secret ${name}`);
  const entries = Object.entries(data);
  return new Map(
    entries.map(([key, value]) => [key, Buffer.from(String(value), "base64").toString("utf8")]),
  );
}

function certificate(name: string, entry: string): X509Certificate {
  return new X509Certificate(secret(name).get(entry) ?? "");
}

test("makes every Secret once, and leaves them as they are", async () => {
  const made = await init();
  assert.deepEqual(made.toSorted(), [
    "s3-dolium-ca",
    "s3-dolium-cluster",
    "s3-dolium-internal-admin",
    "s3-dolium-internal-gateway",
    "s3-dolium-internal-keeper",
    "s3-dolium-internal-metadata",
    "s3-dolium-internal-storage",
    "s3-dolium-root",
    "s3-dolium-s3-tls",
  ]);
  assert.match(secret("s3-dolium-root").get("rootUser") ?? "", /^DOL[A-Z2-7]{17}$/);
  assert.ok((secret("s3-dolium-root").get("rootPassword") ?? "").length >= 40);
  const { length } = Buffer.from(secret("s3-dolium-cluster").get("clusterKey") ?? "", "base64");
  assert.equal(length, 32);
  const snapshot = JSON.stringify([...objects]);
  assert.deepEqual(await init(), []);
  assert.equal(JSON.stringify([...objects]), snapshot);
});

test("certificates say who holds them, and are signed by the one authority", async () => {
  await init();
  const authority = certificate("s3-dolium-ca", "ca.crt");
  const storage = certificate("s3-dolium-internal-storage", "s3-dolium-0-storage.crt");
  assert.ok(storage.verify(authority.publicKey));
  const uri = "URI:dolium://s3-dolium/storage/s3-dolium-0-storage";
  assert.ok(storage.subjectAltName?.includes(uri));
  const s3 = certificate("s3-dolium-s3-tls", "tls.crt");
  for (const host of ["s3.example.org", "bucket.s3.example.org", "localhost"]) {
    assert.equal(s3.checkHost(host) === undefined, false, host);
  }
  assert.equal(secret("s3-dolium-s3-tls").get("ca.crt"), authority.toString());
  // The key of the authority stands in its own Secret alone.
  const holders = [...objects.keys()].filter((path) =>
    secret(path.split("/").at(-1) ?? "").has("ca.key"),
  );
  assert.deepEqual(holders, ["/api/v1/namespaces/ns/secrets/s3-dolium-ca"]);
});

test("more nodes and other hosts are added; what there was keeps its keys", async () => {
  await init();
  const old = secret("s3-dolium-internal-storage");
  const key = secret("s3-dolium-s3-tls").get("tls.key");
  const nodes = [...WISHES.nodes, "storage/s3-dolium-1-storage"];
  const changed = await init({ nodes, s3Hosts: ["s3.example.org", "um.example.org"] });
  assert.deepEqual(changed, ["s3-dolium-internal-storage", "s3-dolium-s3-tls"]);
  const storage = secret("s3-dolium-internal-storage");
  assert.ok(storage.has("s3-dolium-1-storage.key"));
  assert.equal(storage.get("s3-dolium-0-storage.key"), old.get("s3-dolium-0-storage.key"));
  assert.equal(secret("s3-dolium-s3-tls").get("tls.key"), key);
  const s3 = certificate("s3-dolium-s3-tls", "tls.crt");
  assert.equal(s3.checkHost("um.example.org"), "um.example.org");
  assert.equal(s3.checkHost("localhost"), undefined);
});

test("a Secret that somebody made is used, and one that is half lost is told", async () => {
  await init();
  objects.delete("/api/v1/namespaces/ns/secrets/s3-dolium-ca");
  await assert.rejects(init(), /whose Secret s3-dolium-ca is gone: put it back/);
  const only = { internalTls: false, s3Secret: undefined, rootUser: "operator" };
  objects.clear();
  await init({ ...only, rootSecret: undefined });
  assert.deepEqual([...objects.keys()], ["/api/v1/namespaces/ns/secrets/s3-dolium-cluster"]);
  await init(only);
  assert.equal(secret("s3-dolium-root").get("rootUser"), "operator");
});

test("a wrong token is a refusal with the server's sentence", async () => {
  const { port } = server.address() as AddressInfo;
  const folder = temporaryFolder("dolium-account-");
  writeFileSync(join(folder.path, "token"), "another");
  const other = kubernetesApi({ server: `http://127.0.0.1:${port}`, account: folder.path });
  await assert.rejects(other.get("/api/v1/namespaces/ns/secrets/a"), /Unauthorized/);
  folder.remove();
  const nowhere = kubernetesApi({ server: `http://127.0.0.1:${port}`, account: folder.path });
  await assert.rejects(async () => nowhere.get("/x"), /has this pod a service account/);
});

const SET = "/apis/apps/v1/namespaces/ns/statefulsets/s3-dolium";

function addSet(size: string, replicas: number): void {
  const claim = { metadata: { name: "drive-0" }, spec: sizeOf(size) };
  objects.set(SET, { spec: { replicas, volumeClaimTemplates: [claim] } });
  for (let at = 0; at < replicas; at += 1) objects.set(claimPath(at), { spec: sizeOf(size) });
}

function sizeOf(size: string): Json {
  return { resources: { requests: { storage: size } } };
}

function claimPath(at: number): string {
  return `/api/v1/namespaces/ns/persistentvolumeclaims/drive-0-s3-dolium-${at}`;
}

function grow(size: string): Promise<string[]> {
  return growClaims(api, "ns", [parseClaimSize(`s3-dolium/drive-0=${size}`)]);
}

test("claims grow, and the set gives way without its pods", async () => {
  addSet("50Gi", 2);
  // Of a pod that is no more.
  objects.set(claimPath(2), { spec: sizeOf("50Gi") });
  const told = await grow("100Gi");
  assert.equal(told.length, 4, told.join("\n"));
  for (const at of [0, 1, 2]) assert.deepEqual(objects.get(claimPath(at))?.spec, sizeOf("100Gi"));
  assert.ok(!objects.has(SET));
  assert.equal(changes.at(-1), `DELETE ${SET}`);
});

test("what is large enough, or not there, is left alone", async () => {
  assert.deepEqual(await grow("100Gi"), []);
  addSet("50Gi", 1);
  assert.deepEqual(await grow("51200Mi"), []);
  assert.deepEqual(changes, []);
});

test("claims do not shrink, and nothing is deleted where one cannot grow", async () => {
  addSet("50Gi", 1);
  await assert.rejects(grow("40Gi"), /have 50Gi: they cannot shrink to 40Gi/);
  refusals = 1;
  await assert.rejects(grow("60Gi"), /stays at 50Gi.*only dynamically provisioned pvc/);
  assert.ok(objects.has(SET));
});

test("sizes are quantities of Kubernetes", () => {
  assert.equal(quantityBytes("1Ki"), 1024);
  assert.equal(quantityBytes("1.5G"), 1_500_000_000);
  for (const text of ["", "Gi", "1gb", "-1Gi", "1 Gi"]) {
    assert.throws(() => quantityBytes(text), /is no quantity/, text);
  }
  assert.throws(() => parseClaimSize("drive-0=1Gi"), /wants SET\/CLAIM=SIZE/);
});
