// The part of clients.test.ts that runs in namespaces of its own: a cluster over three campuses,
// the names of its gateways, and the checks one after the other. Prints one JSON line a check.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import process from "node:process";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { CAMPUSES, type Campus, type Campuses, namespaceCampuses } from "../chaos/campuses.ts";
import { ChaosCluster, campusName } from "../chaos/chaos-cluster.ts";
import { eventually } from "../support/eventually.ts";
import { addressesOf, campusHost, GLOBAL_NAME, serveNames, setWire } from "./campus-names.ts";
import type { CHECKS, CheckResult } from "./checks.ts";
import {
  byAwsCli,
  byBoto3,
  byCurl,
  byS3cmd,
  listOverGateways,
  PORT,
  sdkOf,
  sessionOverGateways,
  uploadOverGateways,
  urlOf,
} from "./client-calls.ts";

const RTT_MS = 20;
const PATIENCE_MS = 240_000;
const BUCKET = "over-campuses";
/** By then each record has come first. */
const ROUNDS = 3;

type Check = (typeof CHECKS)[number];

interface World {
  readonly folder: string;
  readonly campuses: Campuses;
}

const RUN: Readonly<Record<Check, (world: World) => Promise<void>>> = {
  "D1: every client works through the name of all campuses": throughAllRecords,
  "D2: the name of a campus leads there alone, and serves the same buckets": campusNames,
  "C9: uploads, listings and console sessions go from gateway to gateway": overGateways,
  "D1: with one campus cut off clients go on through the next record": cutOff,
  "D4: who reaches one campus only reads and writes there": oneCampusOnly,
};

async function throughAllRecords({ folder, campuses }: World): Promise<void> {
  const all = CAMPUSES.map((campus) => campuses.address(campus));
  assert.deepEqual((await addressesOf(GLOBAL_NAME)).sort(), all);
  const trip = { folder, host: GLOBAL_NAME, bucket: BUCKET };
  const gateways = await byBoto3({ ...trip, key: "boto3" }, ROUNDS);
  assert.ok(gateways.length > 1, `one gateway answered everything: ${gateways.join()}`);
  await byAwsCli({ ...trip, key: "aws" });
  await byS3cmd({ ...trip, key: "s3cmd" });
  await byCurl({ ...trip, key: "curl" });
}

async function campusNames({ campuses }: World): Promise<void> {
  await sdkOf(1).send(new PutObjectCommand({ Bucket: BUCKET, Key: "same", Body: "everywhere" }));
  for (const campus of CAMPUSES) {
    assert.deepEqual(await addressesOf(campusHost(campus)), [campuses.address(campus)]);
    const { Body } = await sdkOf(campus).send(
      new GetObjectCommand({ Bucket: BUCKET, Key: "same" }),
    );
    assert.equal(await Body?.transformToString(), "everywhere");
    await eventually("all endpoints are told", PATIENCE_MS, () => told(campus));
  }
}

async function told(campus: Campus): Promise<true> {
  const answer = await fetch(`${urlOf(campusHost(campus))}/.well-known/dolium`);
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), {
    service: "dolium",
    campus: campusName(campus),
    globalEndpoint: urlOf(GLOBAL_NAME),
    campuses: CAMPUSES.map((each) => ({
      campus: campusName(each),
      endpoints: [urlOf(campusHost(each))],
      gateways: 1,
    })),
  });
  return true;
}

async function overGateways(): Promise<void> {
  await uploadOverGateways(BUCKET);
  await listOverGateways(BUCKET);
  await sessionOverGateways();
}

function cut(campuses: Campuses, campus: Campus, isCut: boolean): void {
  for (const other of CAMPUSES.filter((each) => each !== campus)) {
    campuses.setLink(campus, other, isCut ? { cut: true } : {});
    campuses.setLink(other, campus, isCut ? { cut: true } : {});
  }
  setWire(campus, isCut ? "down" : "up");
}

async function cutOff({ folder, campuses }: World): Promise<void> {
  cut(campuses, 2, true);
  try {
    // Leaders that stood there are elected anew; then only the records are left to matter.
    await sdkOf(1).send(new PutObjectCommand({ Bucket: BUCKET, Key: "after-cut", Body: "x" }));
    await sdkOf(3).send(new GetObjectCommand({ Bucket: BUCKET, Key: "after-cut" }));
    const trip = { folder, host: GLOBAL_NAME, bucket: BUCKET };
    for (const round of [1, 2]) {
      await byBoto3({ ...trip, key: `cut-boto3-${round}` }, 1);
      await byAwsCli({ ...trip, key: `cut-aws-${round}` });
      await byS3cmd({ ...trip, key: `cut-s3cmd-${round}` });
      await byCurl({ ...trip, key: `cut-curl-${round}` });
    }
  } finally {
    cut(campuses, 2, false);
  }
}

async function oneCampusOnly({ folder }: World): Promise<void> {
  const others = CAMPUSES.filter((campus) => campus !== 2);
  for (const campus of others) setWire(campus, "down");
  try {
    for (const host of [campusHost(2), GLOBAL_NAME]) {
      const trip = { folder, host, bucket: BUCKET };
      const key = `only-${host}`;
      assert.equal((await byBoto3({ ...trip, key }, 1)).length, 1);
      await byCurl({ ...trip, key: `${key}-curl` });
    }
  } finally {
    for (const campus of others) setWire(campus, "up");
  }
}

async function checked(name: Check, world: World): Promise<CheckResult> {
  const from = performance.now();
  let problem = "";
  try {
    await RUN[name](world);
  } catch (error) {
    problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  return { name, problem, ms: Math.round(performance.now() - from) };
}

async function run(folder: string): Promise<void> {
  const campuses = await namespaceCampuses(1, RTT_MS);
  const names = await serveNames(folder, campuses);
  const clusterKey = randomBytes(32).toString("hex");
  const cluster = await ChaosCluster.start({
    dataDir: join(folder, "data"),
    campuses,
    shape: { metadata: 3, storage: 6, gateways: 3 },
    s3Port: PORT,
    // Sessions of the console are sealed.
    environmentOf: () => ({ DOLIUM_ENCRYPTION__CLUSTER_KEY: clusterKey }),
    s3SettingsOf: ({ campus }) => ({
      campusEndpoint: urlOf(campusHost(campus)),
      globalEndpoint: urlOf(GLOBAL_NAME),
    }),
  });
  try {
    await sdkOf(1).send(new CreateBucketCommand({ Bucket: BUCKET }));
    for (const name of Object.keys(RUN)) {
      // Checked boundary: keys of the table above.
      const result = await checked(name as Check, { folder, campuses });
      process.stdout.write(`${JSON.stringify(result)}\n`);
    }
  } finally {
    await cluster.close();
    names.kill();
    await campuses.close();
  }
}

await run(process.argv[2] ?? "");
process.exit(0);
