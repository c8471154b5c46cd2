// Access logs in buckets with default encryption: sealed like every object there, small and large,
// and not written at all where the key is missing.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { type LogWriting, writeLogObject } from "../../../services/keeper/logs/log-object.ts";
import { present } from "../../../services/lib/base/assert.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import { BodyReader } from "../../../services/lib/clients/body-reader.ts";
import { KmsDirectory } from "../../../services/lib/clients/kms-directory.ts";
import type { BucketRecord } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  Encryption_Kind,
  type Manifest,
  type Version,
} from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { encryptionDocument } from "../../../services/lib/s3/settings/encryption.ts";
import { loggingDocument } from "../../../services/lib/s3/settings/logging.ts";
import { sealedSize } from "../../../services/lib/seal/blocks.ts";
import { soleClusterKey } from "../../../services/lib/seal/cluster-keys.ts";
import { dataKeyBinding } from "../../../services/lib/seal/key-bindings.ts";
import { bodyKey } from "../../../services/lib/seal/key-derivation.ts";
import { openBody } from "../../../services/lib/seal/open-body.ts";
import { unwrapKey } from "../../../services/lib/seal/wrapped-key.ts";
import { seededBytes } from "../../support/seeded-bytes.ts";
import { gathered, viewsOf } from "../seal/streams.ts";
import { Rig } from "./rig.ts";

const LOGGING = utf8(
  loggingDocument({ targetBucket: "logs", targetPrefix: "", keyFormat: { kind: "simple" } }),
);

function byDefault(algorithm: "AES256" | "aws:kms", keyName?: string): string {
  return encryptionDocument({
    algorithm,
    keyName,
    bucketKeyEnabled: false,
    blocksCustomerKeys: false,
  });
}

function writingOf(rig: Rig, source: BucketRecord, lines: readonly string[]): LogWriting {
  const { signal } = new AbortController();
  const bytes = utf8(lines.join("\n")).byteLength;
  const entry = { sequence: 77n, timeMs: rig.clock.wallMs(), lines: [...lines], bytes };
  const groupId = rig.groupOf(source);
  return { source: { groupId, bucket: source, document: LOGGING }, entries: [entry], signal };
}

/** Opens the only object of the bucket as the gateway would. */
async function opened(rig: Rig, bucket: BucketRecord): Promise<{ text: string; etag: string }> {
  const [key = ""] = await rig.keys(bucket);
  const value = { bucketId: bucket.bucketId, key: utf8(key), withBody: true };
  const answer = await rig.query(rig.groupOf(bucket), { case: "getObject", value });
  const version = present(answer.version, "version");
  const stored = await storedBytes(rig, version, answer.manifests[0]);
  const { keyName, keyVersion, wrappedKey, context } = present(version.encryption, "encryption");
  const size = Number(version.size);
  assert.equal(stored.byteLength, sealedSize(size));
  const named = present(await kmsOf(rig).version(keyName, keyVersion), "named key");
  const place = { bucketId: bucket.bucketId, keyName, keyVersion, context };
  const wrapping = { wrappingKey: named.key, binding: dataKeyBinding(place) };
  const dataKey = present(unwrapKey(wrapping, wrappedKey), "data key");
  const opening = {
    key: bodyKey(dataKey, version.bodyNonce),
    size,
    span: { first: 0, last: size - 1 },
  };
  const plain = await gathered(openBody(viewsOf(stored, [9000]), opening));
  return { text: plain.toString(), etag: version.etag };
}

async function storedBytes(
  { deps }: Rig,
  { body }: Version,
  manifest: Manifest | undefined,
): Promise<Uint8Array> {
  if (body.case === "inline") return body.value;
  const { view, shards, erasure, clock } = deps;
  const onDamage = (): void => assert.fail("a shard is damaged");
  const reader = new BodyReader({ view, shards, erasure, clock, onDamage });
  const whole = present(manifest, "manifest");
  const request = {
    bucketId: 0,
    manifests: [{ manifest: whole, offset: 0 }],
    firstByte: 0,
    lastByte: Number(whole.size) - 1,
  };
  return gathered(reader.read(request));
}

function kmsOf(rig: Rig): KmsDirectory {
  // The rig's is one; the keeper itself needs less of it.
  assert.ok(rig.deps.kms instanceof KmsDirectory);
  return rig.deps.kms;
}

for (const lineCount of [3, 700]) {
  test(`${lineCount} lines are sealed with the store's key`, async (t) => {
    const rig = await Rig.open(t, lineCount > 100 ? 3 : 0);
    const target = await rig.bucket("logs", { encryption: byDefault("AES256") });
    const source = await rig.bucket("source");
    const lines = Array.from({ length: lineCount }, (_, at) =>
      seededBytes(`line ${at}`, 30).toString("hex"),
    );
    assert.equal(await writeLogObject(rig.deps, writingOf(rig, source, lines)), true);
    const { text, etag } = await opened(rig, target);
    assert.equal(text, `${lines.join("\n")}\n`);
    assert.equal(etag, createHash("md5").update(text).digest("hex"));
  });
}

test("a named key seals too, and hides the MD5", async (t) => {
  const rig = await Rig.open(t);
  await kmsOf(rig).create("audit");
  const target = await rig.bucket("logs", { encryption: byDefault("aws:kms", "alias/audit") });
  const source = await rig.bucket("source");
  await writeLogObject(rig.deps, writingOf(rig, source, ["one line"]));
  const { text, etag } = await opened(rig, target);
  assert.equal(text, "one line\n");
  assert.notEqual(etag, createHash("md5").update(text).digest("hex"));
  const [key = ""] = await rig.keys(target);
  const value = { bucketId: target.bucketId, key: utf8(key) };
  const { version } = await rig.query(rig.groupOf(target), { case: "getObject", value });
  assert.equal(version?.encryption?.kind, Encryption_Kind.SSE_KMS);
});

test("without the cluster key, or the named one, nothing is written in clear", async (t) => {
  const rig = await Rig.open(t);
  const target = await rig.bucket("logs", { encryption: byDefault("aws:kms", "nobody") });
  const source = await rig.bucket("source");
  const writing = writingOf(rig, source, ["one line"]);
  await assert.rejects(writeLogObject(rig.deps, writing), (error) =>
    isStoreError(error, "not-found"),
  );
  await rig.change(target, { settings: { encryption: byDefault("AES256") } });
  const { metadata, clock, random, buckets } = rig.deps;
  buckets.invalidate("logs");
  const deps = rig.with({
    kms: new KmsDirectory({ metadata, clock, random }, soleClusterKey(undefined)),
  });
  await assert.rejects(writeLogObject(deps, writing), (error) => isStoreError(error, "denied"));
  assert.deepEqual(await rig.keys(target), []);
});
