// (31) Who may call what between the services, over real TLS: every method of every service by
// every role, and whoever comes with another authority, cluster, certificate or spelling.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type {
  DescMethod,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
} from "@bufbuild/protobuf";
import { completeFolder } from "../../services/cli/certs/certificate-folder.ts";
import { isStoreError, StoreError } from "../../services/lib/base/errors.ts";
import { PEER_ROLES, type PeerRole } from "../../services/lib/base/peer-identity.ts";
import { ClusterService } from "../../services/lib/gen/dolium/cluster/v1/cluster_pb.ts";
import { MembershipService } from "../../services/lib/gen/dolium/metadata/v1/membership_pb.ts";
import { MetadataService } from "../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { RaftService } from "../../services/lib/gen/dolium/raft/v1/raft_pb.ts";
import { ShardService } from "../../services/lib/gen/dolium/storage/v1/storage_pb.ts";
import { createGrpcServer } from "../../services/lib/host/grpc-server.ts";
import { createGrpcTransport } from "../../services/lib/host/grpc-transport.ts";
import type { InternalTls } from "../../services/lib/host/internal-tls.ts";
import { createRandom } from "../../services/lib/host/random.ts";
import { pathOf, RPC_ACCESS } from "../../services/lib/ports/rpc-access.ts";
import type { Channel, RpcServer, ServiceHandlers } from "../../services/lib/ports/transport.ts";
import { ClusterCertificates } from "../support/cluster-certificates.ts";
import { createRecordingLog } from "../unit/host/recording-log.ts";

const SOON = { deadlineMs: 60_000 };
const SERVICES: readonly DescService[] = [
  ...[ClusterService, MembershipService, MetadataService, RaftService, ShardService],
];
const METHODS = SERVICES.flatMap(({ methods }) => methods);
/** Nodes by role, as certificates name them. */
const HOLDERS: Readonly<Record<PeerRole, string>> = {
  ...{ metadata: "metadata-1", storage: "storage-1" },
  ...{ gateway: "gateway", keeper: "keeper", admin: "admin" },
};

let certificates: ClusterCertificates;
let foreign: ClusterCertificates;
let server: RpcServer;
let address: string;
/** Paths of the methods whose handlers ran. */
const reached: string[] = [];

before(async () => {
  const nodes = ["metadata/metadata-1", "storage/storage-1"];
  certificates = await ClusterCertificates.make(nodes);
  foreign = await ClusterCertificates.make(nodes);
  server = createGrpcServer({
    ...{ log: createRecordingLog(), random: createRandom() },
    tls: certificates.tls("metadata-1"),
  });
  for (const service of SERVICES) server.add(service, handlersOf(service));
  address = await server.listen("127.0.0.1:0");
});
after(async () => {
  await server?.close(0);
  certificates?.remove();
  foreign?.remove();
});

/** Handlers that write down that they ran, and fail as nothing else here does. */
function handlersOf(service: DescService): ServiceHandlers<DescService> {
  const entries = service.methods.map((method) => [
    method.localName,
    () => {
      reached.push(pathOf(method));
      throw new StoreError("exists", "reached");
    },
  ]);
  return Object.fromEntries(entries);
}

/** The error of a call; methods of every kind answer one way or another. */
async function callAs(channel: Channel, method: DescMethod): Promise<unknown> {
  try {
    // The kind in the descriptor is what makes it the narrower type.
    if (method.methodKind === "unary") {
      return await channel.unary(method as DescMethodUnary, {}, SOON);
    }
    if (method.methodKind === "client_streaming") {
      return await channel.clientStream(method as DescMethodClientStreaming, SOON).finish();
    }
    assert.equal(method.methodKind, "server_streaming", "this test knows no such method yet");
    const answers = channel.serverStream(method as DescMethodServerStreaming, {}, SOON);
    for await (const answer of answers) return answer;
    return undefined;
  } catch (error) {
    return error;
  }
}

async function as<T>(tls: InternalTls, work: (channel: Channel) => Promise<T>): Promise<T> {
  const transport = createGrpcTransport({ tls });
  try {
    return await work(transport.channel(address));
  } finally {
    await transport.close();
  }
}

test("(31) every service that is generated has its rows, each with a reason to be there", () => {
  const folder = join(import.meta.dirname, "../../services/lib/gen/dolium");
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith("_pb.ts"))
    .flatMap((path) => [...readFileSync(join(folder, path), "utf8").matchAll(/GenService</g)]);
  assert.equal(names.length, SERVICES.length, "a service is missing in this test");
  assert.deepEqual([...RPC_ACCESS.keys()].toSorted(), METHODS.map(pathOf).toSorted());
  for (const [path, roles] of RPC_ACCESS) assert.ok(roles.length > 0, `nobody may call ${path}`);
});

test("(31) every method answers the roles of its row and no other", async () => {
  for (const role of PEER_ROLES) {
    await as(certificates.tls(HOLDERS[role]), async (channel) => {
      for (const method of METHODS) {
        const path = pathOf(method);
        const isAllowed = RPC_ACCESS.get(path)?.includes(role) === true;
        reached.length = 0;
        const error = await callAs(channel, method);
        assert.ok(isStoreError(error), `${role} ${path}: ${String(error)}`);
        assert.equal(error.code, isAllowed ? "exists" : "denied", `${role} ${path}`);
        assert.deepEqual(reached, isAllowed ? [path] : [], `${role} ${path}`);
      }
    });
  }
});

test("(31) what roles may never do", () => {
  const may = (role: PeerRole): string[] =>
    [...RPC_ACCESS].flatMap(([path, roles]) => (roles.includes(role) ? [path] : []));
  const consensus = may("metadata").filter((path) => !path.endsWith("/ReplicaStatus"));
  for (const role of PEER_ROLES) {
    if (role === "metadata") continue;
    assert.ok(!may(role).some((path) => consensus.includes(path)), `${role} speaks Raft`);
  }
  assert.deepEqual(may("storage"), [
    "/dolium.cluster.v1.ClusterService/Heartbeat",
    "/dolium.metadata.v1.MetadataService/Execute",
  ]);
  assert.ok(!may("gateway").includes("/dolium.storage.v1.ShardService/DeleteShards"));
});

test("(31) a certificate of another authority, or none, gets no connection", async () => {
  const strangers = [
    foreign.tls("gateway"),
    // It trusts this server, and is signed by somebody else.
    mixed("gateway"),
  ];
  for (const tls of strangers) {
    reached.length = 0;
    await as(tls, async (channel) => {
      const method = MetadataService.method.query;
      const short = { deadlineMs: 3000 };
      await assert.rejects(channel.unary(method, {}, short), (error) => isStoreError(error));
    });
    assert.deepEqual(reached, []);
  }
  const plain = createGrpcTransport();
  const method = MetadataService.method.query;
  const call = plain.channel(address).unary(method, {}, { deadlineMs: 3000 });
  await assert.rejects(call, (error) => isStoreError(error));
  await plain.close();
  assert.deepEqual(reached, []);
});

/** The foreign certificate, with the authority of this cluster trusted as well. */
function mixed(name: string): InternalTls {
  const both = join(foreign.folder, "both.pem");
  const texts = [certificates, foreign].map((one) => readFileSync(one.path("ca.crt"), "utf8"));
  writeFileSync(both, texts.join(""));
  return foreign.tls(name, { ca: both });
}

test("(31) the same authority does not make one cluster of two", async () => {
  const other = await ClusterCertificates.sharingAuthority(certificates, "other", []);
  try {
    const tls = other.tls("gateway");
    reached.length = 0;
    const session = await rawSession(other, "gateway");
    const status = await rawCall(session, "/dolium.metadata.v1.MetadataService/Query");
    session.destroy();
    assert.equal(status, PERMISSION_DENIED);
    // And the caller does not take this server for one of its own.
    await as(tls, async (channel) => {
      const call = channel.unary(MetadataService.method.query, {}, { deadlineMs: 3000 });
      await assert.rejects(call, (error) => isStoreError(error));
    });
    assert.deepEqual(reached, []);
  } finally {
    other.remove();
  }
});

test("(31) a certificate for the S3 port opens nothing inside", async () => {
  const plan = { cluster: undefined, nodes: [], hosts: ["s3.example.org"], days: 3 };
  await completeFolder(certificates.folder, plan);
  reached.length = 0;
  const session = await rawSession(certificates, "s3");
  const outcome = await rawCall(session, "/dolium.metadata.v1.MetadataService/Query");
  session.destroy();
  assert.notEqual(outcome, OK);
  assert.deepEqual(reached, []);
});

test("(31) CVE-2026-33186: a path that is spelt otherwise reaches nothing", async () => {
  const spellings = [
    ...["dolium.raft.v1.RaftService/Exchange", "//dolium.raft.v1.RaftService/Exchange"],
    ...["/dolium.raft.v1.RaftService/Exchange/", "/dolium.raft.v1.RaftService//Exchange"],
    ...["/dolium.raft.v1.raftservice/exchange", "/dolium.raft.v1.RaftService/Exchange?x"],
    ...["/dolium.raft.v1.RaftService%2FExchange", "/x/../dolium.raft.v1.RaftService/Exchange"],
    ...["/dolium.metadata.v1.MetadataService/Query/../../dolium.raft.v1.RaftService/Exchange"],
    ...["/dolium.raft.v1.RaftService/Exchange#", "/DOLIUM.RAFT.V1.RAFTSERVICE/EXCHANGE"],
  ];
  for (const holder of ["gateway", "metadata-1"]) {
    const session = await rawSession(certificates, holder);
    reached.length = 0;
    await rawCall(session, "/dolium.metadata.v1.MetadataService/ReplicaStatus");
    assert.equal(reached.length, 1, "spelt rightly it is reached");
    for (const path of spellings) {
      reached.length = 0;
      assert.notEqual(await rawCall(session, path), OK, path);
      assert.deepEqual(reached, [], path);
    }
    session.destroy();
  }
});

const OK = 0;
const PERMISSION_DENIED = 7;

/** Connected; or destroyed, when the server would not have it. */
async function rawSession(of: ClusterCertificates, name: string): Promise<ClientHttp2Session> {
  const session = connect(`https://${address}`, {
    ca: readFileSync(certificates.path("ca.crt")),
    cert: readFileSync(of.path(`${name}.crt`)),
    key: readFileSync(of.path(`${name}.key`)),
    checkServerIdentity: () => undefined,
    servername: "dolium.internal",
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  session.once("connect", () => resolve()).on("error", () => resolve());
  await promise;
  return session;
}

/** The status of a call with an empty message; undefined when the stream or connection broke. */
function rawCall(session: ClientHttp2Session, path: string): Promise<number | undefined> {
  if (session.destroyed) return Promise.resolve(undefined);
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  let status: number | undefined;
  const read = (headers: Readonly<Record<string, unknown>>): void => {
    const text = headers["grpc-status"];
    if (typeof text === "string") status = Number(text);
  };
  stream.on("response", read).on("trailers", read);
  stream.on("error", () => resolve(undefined)).on("close", () => resolve(status));
  stream.resume();
  stream.end(Buffer.alloc(5));
  return promise;
}
