// Internal certificates: what is refused at the start, what changes while connections live, and
// who may answer where.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, test } from "node:test";
import { issue } from "../../../services/cli/certs/authority.ts";
import {
  addAuthority,
  dropAuthorities,
  useAuthority,
} from "../../../services/cli/certs/authority-change.ts";
import { renewFolder } from "../../../services/cli/certs/certificate-folder.ts";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import { identityUri, parseIdentityUri } from "../../../services/lib/base/peer-identity.ts";
import { CertificateWatch } from "../../../services/lib/host/certificate-watch.ts";
import type { ExpectedPeer } from "../../../services/lib/host/grpc-identity.ts";
import { createGrpcServer } from "../../../services/lib/host/grpc-server.ts";
import {
  createGrpcTransport,
  type GrpcTransport,
} from "../../../services/lib/host/grpc-transport.ts";
import type { InternalTls } from "../../../services/lib/host/internal-tls.ts";
import { createMetrics } from "../../../services/lib/host/metrics.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import { accessTo } from "../../../services/lib/ports/rpc-access.ts";
import type { RpcServer } from "../../../services/lib/ports/transport.ts";
import { EchoService } from "../../fixtures/gen/dolium/test/v1/echo_pb.ts";
import { ClusterCertificates } from "../../support/cluster-certificates.ts";
import { createRecordingLog } from "./recording-log.ts";
import { echo, handlers } from "./transport-setting.ts";

const SOON = { deadlineMs: 60_000 };
const BRIEFLY = { deadlineMs: 3000 };
const RENEWAL = { days: 60, withinDays: undefined, names: [], newKeys: true };
const roles = ["gateway"] as const;
const access = accessTo(EchoService, { echo: roles, spread: roles, gather: roles, talk: roles });

let certificates: ClusterCertificates;
const opened: (() => Promise<void>)[] = [];

beforeEach(async () => {
  certificates = await ClusterCertificates.make(["metadata/metadata-1", "storage/storage-1"]);
});
afterEach(async () => {
  for (const close of opened.splice(0)) await close();
  certificates.remove();
});

async function serve(tls: InternalTls): Promise<string> {
  const server: RpcServer = createGrpcServer({
    ...{ log: createRecordingLog(), random: createRandom(), tls, access },
  });
  server.add(EchoService, handlers({}));
  opened.push(() => server.close(0));
  return server.listen("127.0.0.1:0");
}

function connect(tls: InternalTls, expected?: ReadonlyMap<string, ExpectedPeer>): GrpcTransport {
  const transport = createGrpcTransport({ tls, ...(expected === undefined ? {} : { expected }) });
  opened.push(() => transport.close());
  return transport;
}

async function greets(transport: GrpcTransport, address: string): Promise<boolean> {
  const { text } = await transport.channel(address).unary(echo, { text: "hello" }, SOON);
  return text === "hello";
}

const isInvalid = (error: unknown): boolean => isStoreError(error, "invalid");

test("an identity is one URI of exactly three words", () => {
  const identity = { cluster: "prod", role: "metadata", name: "m-1.example" } as const;
  assert.equal(identityUri(identity), "dolium://prod/metadata/m-1.example");
  assert.deepEqual(parseIdentityUri(identityUri(identity)), identity);
  for (const bad of [
    ...["dolium://prod/metadata", "dolium://prod/metadata/a/b", "dolium://prod/root/a"],
    ...["dolium:///metadata/a", "dolium://prod/metadata/", "spiffe://prod/metadata/a"],
    ...["dolium://prod/metadata/a%2f", "dolium://prod/Metadata/a", "dolium://prod/metadata/-a"],
  ]) {
    assert.equal(parseIdentityUri(bad), undefined, bad);
  }
  assert.throws(() => identityUri({ ...identity, name: "a/b" }), isInvalid);
});

test("files that cannot be used are refused at the start, by name", async () => {
  const other = await ClusterCertificates.make(["storage/storage-1"]);
  try {
    assert.throws(() => certificates.tls("nobody"), /nobody\.crt cannot be read/);
    assert.throws(() => other.tls("gateway", { ca: certificates.path("ca.crt") }), /no authority/);
    assert.throws(() => certificates.tls("ca"), /does not say who holds it/);
    const authority = {
      certificate: readFileSync(certificates.path("ca.crt"), "utf8"),
      key: readFileSync(certificates.path("ca.key"), "utf8"),
    };
    const key = readFileSync(certificates.path("gateway.key"), "utf8");
    const wanted = { subject: "gateway", use: "client", days: 30 } as const;
    const write = async (names: readonly string[], days: number): Promise<void> =>
      writeFileSync(
        certificates.path("gateway.crt"),
        await issue(key, { ...wanted, names, days }, authority),
      );
    await write(["dolium://test/gateway/gateway"], 0);
    assert.throws(() => certificates.tls("gateway"), /ended on/);
    await write(["dolium://test/gateway/a", "dolium://test/admin/a"], 30);
    assert.throws(() => certificates.tls("gateway"), /does not say who holds it/);
    await write(["dolium://test/gateway/gateway"], 30);
    writeFileSync(certificates.path("gateway.key"), readFileSync(other.path("gateway.key")));
    assert.throws(() => certificates.tls("gateway"), /do not fit together/);
  } finally {
    other.remove();
  }
});

test("a caller speaks to whom it means, whatever name leads there", async () => {
  const address = await serve(certificates.tls("storage-1"));
  const means = (peer: ExpectedPeer) =>
    connect(certificates.tls("gateway"), new Map([[address, peer]]));
  assert.ok(await greets(connect(certificates.tls("gateway")), address));
  const friend = means({ role: "storage", name: "storage-1" });
  assert.ok(await greets(friend, address));
  assert.equal(friend.peers.get(address)?.identity.name, "storage-1");
  for (const wrong of [{ role: "metadata" } as const, { role: "storage", name: "b" } as const]) {
    const call = means(wrong).channel(address).unary(echo, {}, BRIEFLY);
    await assert.rejects(call, (error) => isStoreError(error));
  }
});

test("a process whose role serves nobody is not taken for a server", async () => {
  const address = await serve(certificates.tls("keeper"));
  const call = connect(certificates.tls("gateway")).channel(address).unary(echo, {}, BRIEFLY);
  await assert.rejects(call, (error) => isStoreError(error));
});

test("new certificates are used by both ends, and calls that run go on", async () => {
  const [server, caller] = [certificates.tls("storage-1"), certificates.tls("gateway")];
  const address = await serve(server);
  const transport = connect(caller);
  assert.ok(await greets(transport, address));
  const before = transport.peers.get(address)?.endsMs ?? 0;
  const calls = Array.from({ length: 50 }, () => greets(transport, address));
  await renewFolder(certificates.folder, RENEWAL);
  server.reload();
  caller.reload();
  calls.push(...Array.from({ length: 50 }, () => greets(transport, address)));
  assert.ok((await Promise.all(calls)).every((ok) => ok));
  assert.ok((transport.peers.get(address)?.endsMs ?? 0) > before, "the new one was seen");
});

test("an authority follows another in three steps, at any order of the nodes", async () => {
  const [server, caller] = [certificates.tls("storage-1"), certificates.tls("gateway")];
  const address = await serve(server);
  const transport = connect(caller);
  const { folder } = certificates;
  const former = certificates.tls("keeper");
  const steps = [
    () => addAuthority(folder),
    () => useAuthority(folder, 60),
    async () => dropAuthorities(folder),
  ];
  for (const step of steps) {
    await step();
    for (const one of [server, caller]) {
      one.reload();
      assert.ok(await greets(transport, address));
    }
  }
  const call = connect(former).channel(address).unary(echo, {}, BRIEFLY);
  await assert.rejects(call, (error) => isStoreError(error));
});

test("broken files, or those of another, change nothing", async () => {
  const log = createRecordingLog();
  const tls = certificates.tls("gateway", { log });
  const before = tls.material;
  writeFileSync(certificates.path("gateway.crt"), "no certificate");
  tls.reload();
  assert.equal(tls.material, before);
  for (const kind of ["crt", "key"]) {
    const theirs = readFileSync(certificates.path(`admin.${kind}`));
    writeFileSync(certificates.path(`gateway.${kind}`), theirs);
  }
  tls.reload();
  assert.equal(tls.material, before);
  assert.equal(log.logged.length, 2);
  assert.ok(log.logged.every(({ error }) => isInvalid(error)));
});

test("a method without a row is not served", () => {
  const tls = certificates.tls("storage-1");
  const server = createGrpcServer({ log: createRecordingLog(), random: createRandom(), tls });
  assert.throws(() => server.add(EchoService, handlers({})), /no rule says who may call/);
});

test("the ends of certificates are a metric, as they are now", async () => {
  const metrics = createMetrics({ nodeMetrics: false });
  const watch = new CertificateWatch(metrics);
  const tls = certificates.tls("gateway");
  watch.addOwn(() => tls.ends());
  watch.addPeers(() => [{ name: "metadata metadata-1", endsMs: 5 }]);
  const read = async (): Promise<number> => {
    const text = await metrics.expose();
    assert.doesNotMatch(text, /metadata-1/, "a peer's is the peer's");
    const line = /dolium_tls_certificate_expiry_timestamp_seconds\{name="internal"\} (\S+)/;
    return Number(line.exec(text)?.[1]);
  };
  const before = await read();
  assert.equal(before, tls.material.endsMs / 1000);
  await renewFolder(certificates.folder, RENEWAL);
  tls.reload();
  assert.ok((await read()) > before);
  assert.deepEqual(
    watch.all().map(({ name }) => name),
    ["internal", "internal authority", "metadata metadata-1"],
  );
});
