// What the S3 tests run against. By default a gateway on a free port over the real state machines
// of the metadata service and bodies in memory; with DOLIUM_TEST_ENDPOINT (and
// DOLIUM_TEST_ACCESS_KEY, DOLIUM_TEST_SECRET_KEY, DOLIUM_TEST_REGION) a cluster that runs already.
// Every test makes buckets of its own, so any number may share one.
import { randomBytes } from "node:crypto";
import type { S3Settings } from "../../services/gateway/config.ts";
import {
  type MemoryGateway,
  OTHER_USER,
  ROOT_USER,
  startGatewayOver,
  type TestUser,
} from "../unit/gateway/memory-gateway.ts";
import { Caller } from "./caller.ts";
import { StateMetadata } from "./state-metadata.ts";

export interface TestCluster {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  /** A caller who owns nothing; undefined where the cluster has one user only. */
  readonly stranger: Caller | undefined;
  stop(): Promise<void>;
}

/** `changes`: settings of the gateway; a cluster that runs already keeps its own. */
export async function startCluster(changes: Partial<S3Settings> = {}): Promise<TestCluster> {
  const endpoint = process.env.DOLIUM_TEST_ENDPOINT;
  const region = process.env.DOLIUM_TEST_REGION ?? "us-east-1";
  if (endpoint !== undefined) {
    return {
      endpoint,
      accessKeyId: process.env.DOLIUM_TEST_ACCESS_KEY ?? "",
      secretAccessKey: process.env.DOLIUM_TEST_SECRET_KEY ?? "",
      region,
      stranger: undefined,
      stop: async () => undefined,
    };
  }
  const metadata = await StateMetadata.open();
  const gateway = await startGatewayOver(metadata, changes);
  const own = `http://${gateway.running.address}`;
  const { accessKeyId, secret } = OTHER_USER;
  return {
    endpoint: own,
    accessKeyId: ROOT_USER.accessKeyId,
    secretAccessKey: ROOT_USER.secret,
    region,
    stranger: new Caller({ endpoint: own, accessKeyId, secretAccessKey: secret, region }),
    stop: async () => {
      await gateway.stop();
      await metadata.close();
    },
  };
}

/** A caller of a gateway that a test started itself. */
export function callerOf(
  gateway: Pick<MemoryGateway, "running">,
  { accessKeyId, secret }: Pick<TestUser, "accessKeyId" | "secret"> = ROOT_USER,
): Caller {
  const endpoint = `http://${gateway.running.address}`;
  return new Caller({ endpoint, accessKeyId, secretAccessKey: secret, region: "us-east-1" });
}

/** A name no other test uses. */
export function newBucketName(): string {
  return `test-${randomBytes(8).toString("hex")}`;
}

/** A new bucket of the caller, with versioning enabled, or with object lock too. */
export async function makeVersionedBucket(caller: Caller, withLock = false): Promise<string> {
  const bucket = newBucketName();
  const headers = withLock ? ([["x-amz-bucket-object-lock-enabled", "true"]] as const) : [];
  const made = await caller.call({ method: "PUT", target: `/${bucket}`, headers });
  if (made.status !== 200) throw new Error(`creating ${bucket}: ${made.text}`);
  const body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
  const set = await caller.call({ method: "PUT", target: `/${bucket}?versioning`, body });
  if (set.status !== 200) throw new Error(`versioning of ${bucket}: ${set.text}`);
  return bucket;
}

/** A new bucket of the caller. */
export async function makeBucket(caller: Caller): Promise<string> {
  const bucket = newBucketName();
  const answer = await caller.call({ method: "PUT", target: `/${bucket}` });
  if (answer.status !== 200) throw new Error(`creating ${bucket}: ${answer.status} ${answer.text}`);
  return bucket;
}
