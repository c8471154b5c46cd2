// A cluster of processes with mutual TLS between all of them and HTTPS outside: clients use names
// of buckets under a wildcard certificate, and notice nothing while certificates are renewed and
// the authority is exchanged.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Agent } from "node:https";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect } from "node:tls";
import {
  CreateBucketCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { readPlan } from "../../services/cli/dev/cluster-file.ts";
import { certificatesFolder } from "../../services/cli/dev/local-certificates.ts";
import { isStoreError } from "../../services/lib/base/errors.ts";
import { MetadataService } from "../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { createGrpcTransport } from "../../services/lib/host/grpc-transport.ts";
import { InternalTls } from "../../services/lib/host/internal-tls.ts";
import { runDolium } from "../support/dolium-command.ts";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { maintenanceStatus } from "../support/maintenance.ts";
import { seededBytes } from "../support/seeded-bytes.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";
import { Workload } from "../support/workload.ts";
import { createRecordingLog } from "../unit/host/recording-log.ts";

const HOST = "s3.dolium.test";
const CAMPUS = "um.s3.dolium.test";
/** The machine may be slow. */
const PATIENCE_MS = 120_000;
/** A machine that is short of processors changes its leaders by itself, with or without TLS. */
const ATTEMPTS = 8;
const READ_ANEW = "internal certificates were read anew";

let folder: TemporaryFolder;
let outside: string;
let cluster: LocalCluster;
let inside: string;
const clients: S3Client[] = [];

before(async () => {
  folder = temporaryFolder("dolium-mtls-");
  outside = join(folder.path, "outside");
  const hosts = ["--s3-host", HOST, "--s3-host", "127.0.0.1", "--campus-host", CAMPUS];
  await certs("init", outside, "--name", "public", ...hosts);
  cluster = await LocalCluster.start({
    args: ["dev", "--gateways", "1", "--metadata", "3", "--storage", "2", "--internal-tls"],
    environment: {
      DOLIUM_S3__TLS__CERTIFICATE_FILE: join(outside, "s3.crt"),
      DOLIUM_S3__TLS__KEY_FILE: join(outside, "s3.key"),
      DOLIUM_S3__TLS__RELOAD_MS: "500",
      DOLIUM_S3__DOMAINS: `${HOST},${CAMPUS}`,
    },
  });
  inside = certificatesFolder(cluster.dataDir);
});

after(async () => {
  for (const client of clients) client.destroy();
  await cluster?.stop();
  folder?.remove();
});

/** The command beside the cluster, trusting what its operator trusts. */
function dolium(...words: string[]): ReturnType<typeof runDolium> {
  const AWS_CA_BUNDLE = join(outside, "ca.crt");
  const environment = { DOLIUM_DATA: cluster.dataDir, AWS_CA_BUNDLE };
  return runDolium(words, { folder: folder.path, environment });
}

async function certs(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await runDolium(["certs", ...words, "--json"], {
    folder: folder.path,
    environment: {},
  });
  assert.equal(code, 0, stderr);
  return stdout;
}

/** Speaks to a gateway by name; names of the test lead to this machine. */
function clientOf(host: string): S3Client {
  const { accessKeyId, secretAccessKey, region, endpoints } = cluster.ready;
  const { port } = new URL(endpoints[0] ?? "");
  const client = new S3Client({
    endpoint: `https://${host}:${port}`,
    region,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: ATTEMPTS,
    requestHandler: {
      httpsAgent: new Agent({ ca: readFileSync(join(outside, "ca.crt")), lookup }),
    },
  });
  clients.push(client);
  return client;
}

type Lookup = NonNullable<ConstructorParameters<typeof Agent>[0]>["lookup"];
const lookup: Lookup = (_host, { all }, done) => {
  if (all === true) done(null, [{ address: "127.0.0.1", family: 4 }]);
  else done(null, "127.0.0.1", 4);
};

/** How often each process has taken new internal certificates. */
function timesReadAnew(): number[] {
  const processes = readPlan(cluster.dataDir)?.processes ?? [];
  return processes.map(({ name, dir }) => {
    const log = readFileSync(join(dir, `${name}.log`), "utf8");
    return log.split(READ_ANEW).length - 1;
  });
}

async function metrics(name: string): Promise<string> {
  const planned = readPlan(cluster.dataDir)?.processes.find((one) => one.name === name);
  const answer = await fetch(`http://127.0.0.1:${planned?.opsPort}/metrics`);
  return answer.text();
}

function expiry(text: string, name: string): number {
  const line = `dolium_tls_certificate_expiry_timestamp_seconds{name="${name}"} `;
  const [, rest = ""] = text.split(line);
  return Number.parseFloat(rest);
}

test("objects go by the names of their buckets, at the one name and at a campus", async () => {
  await clientOf(HOST).send(new CreateBucketCommand({ Bucket: "first" }));
  const body = seededBytes("mtls", 700_000);
  const here = { Bucket: "first", Key: "large" };
  await clientOf(CAMPUS).send(new PutObjectCommand({ ...here, Body: body }));
  const { Body } = await clientOf(HOST).send(new GetObjectCommand(here));
  assert.deepEqual(Buffer.from((await Body?.transformToByteArray()) ?? []), Buffer.from(body));
  const byOtherName = clientOf("s3.elsewhere.test").send(new GetObjectCommand(here));
  await assert.rejects(byOtherName, /ERR_TLS_CERT_ALTNAME_INVALID|altnames/);
});

test("every process tells when its certificates end, and doctor looks at those it meets", async () => {
  const nowSeconds = Date.now() / 1000;
  for (const { name } of cluster.processes()) {
    assert.ok(expiry(await metrics(name), "internal") > nowSeconds, name);
  }
  assert.ok(expiry(await metrics("gateway-1"), "s3") > nowSeconds);
  const { stdout } = await dolium("doctor", "--json");
  assert.match(stdout, /[1-9][0-9]* certificates are good for 36[0-9] days or more/);
  const { code, stderr } = await dolium("status", "--json");
  assert.equal(code, 0, stderr);
});

test("a replica and a gateway may ask the others whether a node may be taken down", async () => {
  for (const [asked, node] of [
    ["metadata-2", undefined],
    ["gateway-1", "metadata-2"],
    ["gateway-1", undefined],
  ] as const) {
    await eventually(`${node ?? asked} may be taken down`, PATIENCE_MS, async () =>
      (await maintenanceStatus(cluster, asked, node)) === 200 ? true : undefined,
    );
  }
  assert.equal(await maintenanceStatus(cluster, "gateway-1", "metadata-9"), 412, "no such node");
  assert.equal(await maintenanceStatus(cluster, "storage-1"), 412, "it cannot know");
});

test("who knows the secret but has no certificate, or that of another role, gets nothing", async () => {
  const replica = readPlan(cluster.dataDir)?.processes.find(({ role }) => role === "metadata");
  const address = `127.0.0.1:${replica?.rpcPort}`;
  const clusterSecret = readFileSync(join(cluster.dataDir, "cluster-secret"), "utf8").trim();
  const files = (name: string) => ({
    caFile: join(inside, "ca.crt"),
    certificateFile: join(inside, `${name}.crt`),
    keyFile: join(inside, `${name}.key`),
    reloadMs: PATIENCE_MS,
  });
  const storage = new InternalTls(files("storage-1"), createRecordingLog());
  const plain = createGrpcTransport({ clusterSecret });
  const wrong = createGrpcTransport({ clusterSecret, tls: storage });
  try {
    const ask = (transport: typeof plain, deadlineMs: number) =>
      transport.channel(address).unary(MetadataService.method.replicaStatus, {}, { deadlineMs });
    await assert.rejects(ask(plain, 3000), (error) => isStoreError(error));
    await assert.rejects(ask(wrong, PATIENCE_MS), (error) => isStoreError(error, "denied"));
  } finally {
    await plain.close();
    await wrong.close();
    storage.close();
  }
});

test("certificates and their authority change under load, and no request fails", async () => {
  const workload = new Workload({
    ...{ bucket: "first", prefix: "load/", lanes: 2, sizes: [2_000, 60_000, 400_000] },
    clients: [clientOf(HOST), clientOf(CAMPUS)],
  });
  const before = expiry(await metrics("storage-1"), "internal");
  const steps = [
    ["renew", inside, "--days", "400", "--new-keys"],
    ["authority", "add", inside],
    ["authority", "use", inside],
    ["authority", "drop", inside],
  ];
  for (const [done, words] of steps.entries()) {
    await certs(...words);
    await eventually(`all have read what ${words[0]} wrote`, PATIENCE_MS, async () =>
      timesReadAnew().every((times) => times > done) ? true : undefined,
    );
    const count = workload.count;
    await eventually("writes go on", PATIENCE_MS, async () =>
      workload.count > count + 3 ? true : undefined,
    );
  }
  assert.ok(expiry(await metrics("storage-1"), "internal") !== before);
  await workload.stop();
  assert.deepEqual(workload.failed, []);
  await workload.verify(clientOf(HOST));
});

test("the certificate of the S3 port changes without a restart", async () => {
  const shown = async (): Promise<string> => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const port = Number(new URL(cluster.endpoints[0] ?? "").port);
    const ca = readFileSync(join(outside, "ca.crt"));
    const socket = connect({ host: "127.0.0.1", port, servername: `any.${CAMPUS}`, ca });
    socket.once("secureConnect", () => resolve(socket.getPeerCertificate().serialNumber));
    socket.once("error", reject);
    try {
      return await promise;
    } finally {
      socket.destroy();
    }
  };
  const before = await shown();
  await certs("renew", outside, "s3", "--new-keys");
  await eventually("the new one is shown", PATIENCE_MS, async () =>
    (await shown()) === before ? undefined : true,
  );
});
