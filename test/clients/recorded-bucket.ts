// A bucket of very many keys without a request for each: a real gateway over the real state
// machines of the metadata service, and the commands that PutObject sends, applied in batches. What
// a listing goes through is a cluster's but for Raft and the network between its services.
import assert from "node:assert/strict";
import { StateMetadata } from "../s3/state-metadata.ts";
import type { TestServer } from "../support/test-server.ts";
import { ROOT_USER, startGatewayOver } from "../unit/gateway/memory-gateway.ts";

const BATCH = 1000;
const BODY = Buffer.from("x");
const ETAG = "9dd4e461268c8034f5c8564e155c67a6";

export interface RecordedServer extends TestServer {
  /** Records a small object under every key; the bucket is there. Returns the seconds it took. */
  record(bucket: string, keys: readonly string[]): Promise<number>;
}

export async function startRecordedServer(): Promise<RecordedServer> {
  const metadata = await StateMetadata.open();
  const gateway = await startGatewayOver(metadata);
  return {
    endpoint: `http://${gateway.running.address}`,
    adminUrl: "",
    accessKeyId: ROOT_USER.accessKeyId,
    secretAccessKey: ROOT_USER.secret,
    region: "us-east-1",
    record: (bucket, keys) => record(metadata, bucket, keys),
    stop: async () => {
      await gateway.stop();
      await metadata.close();
    },
  };
}

async function record(
  metadata: StateMetadata,
  name: string,
  keys: readonly string[],
): Promise<number> {
  const startedAt = performance.now();
  const { bucket } = await metadata.query(1, { case: "getBucket", value: { name } });
  const range = bucket?.ranges[0];
  assert.ok(bucket !== undefined && range !== undefined, name);
  const { bucketId, owner } = bucket;
  const version = {
    size: BigInt(BODY.byteLength),
    etag: ETAG,
    storageClass: "STANDARD",
    owner,
    body: { case: "inline", value: BODY },
  } as const;
  const event = "ObjectCreated:Put";
  for (let at = 0; at < keys.length; at += BATCH) {
    const commands = keys.slice(at, at + BATCH).map((text) => {
      const value = { bucketId, key: Buffer.from(text), version, condition: {}, event };
      return { case: "putObject", value } as const;
    });
    const replies = await metadata.executeAll(range.groupId, commands);
    for (const { message } of replies) assert.equal(message, "");
  }
  return (performance.now() - startedAt) / 1000;
}
