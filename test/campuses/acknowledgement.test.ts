// C20: a bucket whose writes one campus acknowledges takes them while the storage of both other
// campuses is away, where a bucket that waits for all refuses; what has yet to follow is said, and
// follows once they are back: then the first campus may go.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  CreateBucketCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { CAMPUSES, type Campus, loopbackCampuses } from "../chaos/campuses.ts";
import { ACCESS_KEY, ChaosCluster, SECRET_KEY } from "../chaos/chaos-cluster.ts";
import { jsonOfDolium, runDolium } from "../support/dolium-command.ts";
import { eventually } from "../support/eventually.ts";
import { seededBytes } from "../support/seeded-bytes.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const PATIENCE_MS = 240_000;
const BODY = seededBytes("acknowledged", 3_000_000);
/** Of a write that must be refused: no retry of the client's would help it. */
const REFUSED_MS = 60_000;

const folder = temporaryFolder("dolium-campuses-");
let cluster: ChaosCluster;

before(async () => {
  cluster = await ChaosCluster.start({
    dataDir: folder.path,
    campuses: loopbackCampuses(),
    shape: { metadata: 3, storage: 6, gateways: 3 },
  });
});
after(async () => {
  await cluster.close();
  folder.remove();
});

function clientOf(campus: Campus, maxAttempts = 20): S3Client {
  return new S3Client({
    endpoint: cluster.endpoints()[campus - 1] ?? "",
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
    maxAttempts,
  });
}

/** The command as an administrator calls it. */
function place() {
  const { adminPort } = cluster.process("gateway-1").plan;
  const environment = {
    DOLIUM_ADMIN_URL: `http://127.0.0.1:${adminPort}`,
    AWS_ACCESS_KEY_ID: ACCESS_KEY,
    AWS_SECRET_ACCESS_KEY: SECRET_KEY,
  };
  return { folder: folder.path, environment };
}

interface Following {
  readonly bodies: number;
  readonly oldestSince: string | null;
  readonly behindSeconds: number;
}

async function following(bucket: string): Promise<Following> {
  const shown = await jsonOfDolium(["bucket", "info", bucket], place());
  // Checked by what is compared.
  return shown.following as Following;
}

async function untilFollowed(bucket: string): Promise<number> {
  const from = performance.now();
  await eventually("everything has followed", PATIENCE_MS, async () =>
    (await following(bucket)).bodies === 0 ? true : undefined,
  );
  return Math.round(performance.now() - from);
}

async function storage(campuses: readonly Campus[], what: "kill" | "start"): Promise<void> {
  const nodes = cluster.byRole("storage").filter(({ plan }) => campuses.includes(plan.campus));
  for (const node of nodes) {
    if (what === "kill") await node.kill();
    else node.start();
  }
  const names = new Set(nodes.map(({ name }) => name));
  const state = what === "kill" ? "down" : "up";
  await eventually(`storage is ${state}`, PATIENCE_MS, async () => {
    const seen = (await cluster.status()).nodes.filter((node) => names.has(node.name));
    return seen.every((node) => node.state === state) ? true : undefined;
  });
}

async function put(client: S3Client, Bucket: string, Key: string): Promise<void> {
  const abortSignal = AbortSignal.timeout(PATIENCE_MS);
  await client.send(new PutObjectCommand({ Bucket, Key, Body: BODY }), { abortSignal });
}

async function get(client: S3Client, Bucket: string, Key: string): Promise<Buffer> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

const BUCKETS = ["waits-for-all", "answers-near"] as const;
const [ALL, NEAR] = BUCKETS;

test("C20: `dolium bucket acknowledgement` sets it, and says what it promises", async () => {
  const client = clientOf(1);
  for (const Bucket of BUCKETS) await client.send(new CreateBucketCommand({ Bucket }));
  const before = await jsonOfDolium(["bucket", "acknowledgement", NEAR], place());
  assert.equal(before.acknowledgement, "all");
  const said = await runDolium(["bucket", "acknowledgement", NEAR, "local"], place());
  assert.equal(said.code, 0, said.stderr);
  assert.match(said.stdout, /two storage nodes of its campus.*may be lost with that campus/);
  const wrong = await runDolium(["bucket", "acknowledgement", NEAR, "some"], place());
  assert.equal(wrong.code, 2, wrong.stderr);
  const shown = await jsonOfDolium(["bucket", "info", NEAR], place());
  assert.equal(shown.acknowledgement, "local");
  assert.deepEqual(shown.following, { bodies: 0, oldestSince: null, behindSeconds: 0 });
});

test("`dolium policy check` says what the placement policy survives", async () => {
  const report = await jsonOfDolium(["policy", "check"], place());
  const [policy] = report.policies as { policy: string; campuses: number; hosts: number }[];
  assert.deepEqual([policy?.policy, policy?.campuses, policy?.hosts], ["standard", 1, 2]);
  const said = await runDolium(["policy", "check", "--placement", "standard"], place());
  assert.match(said.stdout, /standard \(4\+2\) survives the loss of .* any 1 campus/);
  assert.equal((await runDolium(["policy", "check", "--placement", "none"], place())).code, 3);
  const half = await runDolium(["policy", "check", "somebody"], place());
  assert.equal(half.code, 2, half.stderr);
});

test("C20: acknowledged near while the others are away; it follows when they are back", async (t) => {
  await storage([2, 3], "kill");
  const near = clientOf(1);
  await put(near, NEAR, "k");
  const waiting = await following(NEAR);
  assert.equal(waiting.bodies, 1);
  assert.ok(waiting.oldestSince !== null);
  assert.deepEqual(await get(near, NEAR, "k"), Buffer.from(BODY));
  const once = clientOf(1, 1);
  const abortSignal = AbortSignal.timeout(REFUSED_MS);
  const refused = new PutObjectCommand({ Bucket: ALL, Key: "k", Body: BODY });
  await assert.rejects(once.send(refused, { abortSignal }), { name: "ServiceUnavailable" });
  await storage([2, 3], "start");
  t.diagnostic(`followed ${await untilFollowed(NEAR)} ms after the others were back`);
  await storage([1], "kill");
  assert.deepEqual(await get(clientOf(2), NEAR, "k"), Buffer.from(BODY));
  await storage([1], "start");
});

test("C20: with all campuses up it follows at once, from whichever gateway took it", async (t) => {
  const times: number[] = [];
  for (const campus of CAMPUSES) {
    await put(clientOf(campus), NEAR, `from-${campus}`);
    times.push(await untilFollowed(NEAR));
  }
  t.diagnostic(`followed after ${times.join(", ")} ms`);
  await cluster.untilWhole(PATIENCE_MS);
});
