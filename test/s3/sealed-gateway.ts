// A gateway over the real state machine and bodies in memory, for tests of encryption: what is
// stored can be looked at, and named keys be made.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { KmsDirectory } from "../../services/lib/clients/kms-directory.ts";
import type { MetadataClient } from "../../services/lib/clients/metadata-client.ts";
import { createClock } from "../../services/lib/host/clock.ts";
import { createRandom } from "../../services/lib/host/random.ts";
import { uriEncode } from "../../services/lib/s3/uri-encoding.ts";
import { soleClusterKey } from "../../services/lib/seal/cluster-keys.ts";
import {
  CLUSTER_KEY,
  type MemoryGateway,
  ROOT_USER,
  startGatewayOver,
} from "../unit/gateway/memory-gateway.ts";
import { type Answer, Caller, pathOf } from "./caller.ts";
import { makeBucket } from "./harness.ts";
import { StateMetadata } from "./state-metadata.ts";

export type Headers = readonly (readonly [string, string])[];

export const METHOD = "x-amz-server-side-encryption";
export const BLOCK = 65_536;
export const AES256: Headers = [[METHOD, "AES256"]];
export const KMS: Headers = [
  [METHOD, "aws:kms"],
  [`${METHOD}-aws-kms-key-id`, "payroll"],
];
export const KEY_ARN = "arn:aws:kms:us-east-1:0:key/payroll";
export const KEY = randomBytes(32);
export const OTHER_KEY = randomBytes(32);

export function clientKey(key: Uint8Array, prefix = "x-amz-"): Headers {
  const name = `${prefix}server-side-encryption-customer`;
  return [
    [`${name}-algorithm`, "AES256"],
    [`${name}-key`, Buffer.from(key).toString("base64")],
    [`${name}-key-MD5`, createHash("md5").update(key).digest("base64")],
  ];
}

export function sourceKey(key: Uint8Array): Headers {
  return clientKey(key, "x-amz-copy-source-");
}

export function md5Hex(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}

export const CLIENT = clientKey(KEY);

/** Headers to write with, and to read with. */
export const KINDS: readonly (readonly [name: string, write: Headers, read: Headers])[] = [
  ["AES256", AES256, []],
  ["aws:kms", KMS, []],
  ["a client's key", CLIENT, CLIENT],
];

export function callerOf(endpoint: string): Caller {
  const { accessKeyId, secret } = ROOT_USER;
  return new Caller({ endpoint, accessKeyId, secretAccessKey: secret, region: "us-east-1" });
}

export async function refused(
  answer: Promise<Answer>,
  status: number,
  code: string,
): Promise<void> {
  const { status: got, code: gotCode, text } = await answer;
  assert.deepEqual([got, gotCode], [status, code], text);
  assert.ok(!text.includes(KEY.toString("base64")), "a key is in an answer");
}

export class SealedGateway {
  readonly metadata: StateMetadata;
  readonly gateway: Omit<MemoryGateway, "metadata">;
  readonly kms: KmsDirectory;
  readonly s3: Caller;
  readonly bucket: string;

  private constructor(
    parts: Pick<SealedGateway, "metadata" | "gateway" | "kms" | "s3" | "bucket">,
  ) {
    this.metadata = parts.metadata;
    this.gateway = parts.gateway;
    this.kms = parts.kms;
    this.s3 = parts.s3;
    this.bucket = parts.bucket;
  }

  /** With a bucket, and a key named payroll. */
  static async start(): Promise<SealedGateway> {
    const metadata = await StateMetadata.open();
    const gateway = await startGatewayOver(metadata);
    // The directory calls two methods of its client.
    const client = metadata as unknown as MetadataClient;
    const ports = { metadata: client, clock: createClock(), random: createRandom() };
    const kms = new KmsDirectory(ports, soleClusterKey(CLUSTER_KEY));
    await kms.create("payroll");
    const s3 = callerOf(`http://${gateway.running.address}`);
    return new SealedGateway({ metadata, gateway, kms, s3, bucket: await makeBucket(s3) });
  }

  async stop(): Promise<void> {
    await this.gateway.stop();
    await this.metadata.close();
  }

  async put(key: string, body: Uint8Array | string, headers: Headers): Promise<Answer> {
    const answer = await this.call("PUT", key, headers, body);
    assert.equal(answer.status, 200, answer.text);
    return answer;
  }

  async call(
    method: string,
    key: string,
    headers: Headers = [],
    body?: Uint8Array | string,
  ): Promise<Answer> {
    const target = pathOf(this.bucket, key);
    return this.s3.call({ method, target, headers, ...(body === undefined ? {} : { body }) });
  }

  async copy(key: string, source: string, headers: Headers = []): Promise<Answer> {
    const from = `/${this.bucket}/${uriEncode(source, false)}`;
    return this.call("PUT", key, [["x-amz-copy-source", from], ...headers]);
  }

  /** True when some stored body holds these bytes. */
  isStored(bytes: Uint8Array): boolean {
    return [...this.gateway.bodies.bodies.values()].some((body) =>
      Buffer.from(body).includes(bytes),
    );
  }
}
