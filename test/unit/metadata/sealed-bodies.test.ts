// Sizes of sealed bodies: records keep the plain size, manifests and inline bytes the sealed one,
// and a command in which they do not fit each other is refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { CommandSchema } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { sealedSize } from "../../../services/lib/seal/blocks.ts";
import { commandFault } from "../../../services/metadata/state/validate.ts";
import { key, manifestId, manifestOf } from "./harness.ts";

const NONCE = new Uint8Array(16).fill(1);
const NO_NONCE = new Uint8Array(0);

function inlineFault(plain: number, stored: number, bodyNonce: Uint8Array): string | undefined {
  const body = { case: "inline" as const, value: new Uint8Array(stored) };
  const version = { size: BigInt(plain), etag: "e", body, bodyNonce };
  const value = { bucketId: 1, key: key("k"), version };
  return commandFault(create(CommandSchema, { kind: { case: "putObject", value } }));
}

function manifestFaults(plain: bigint, bodyNonce: Uint8Array): (string | undefined)[] {
  const name = key("k");
  const id = manifestId(1_700_000_000_000, 1);
  const manifest = manifestOf({ key: name, id });
  const version = {
    size: plain,
    etag: "e",
    body: { case: "manifestId" as const, value: id },
    bodyNonce,
  };
  const put = { bucketId: 1, key: name, version, manifest };
  const part = { partNumber: 1, size: plain, md5: NONCE, manifestId: id, bodyNonce };
  const putPart = { bucketId: 1, key: name, uploadId: NONCE, part, manifest };
  return [
    commandFault(create(CommandSchema, { kind: { case: "putObject", value: put } })),
    commandFault(create(CommandSchema, { kind: { case: "putPart", value: putPart } })),
  ];
}

test("inline bytes of a sealed body are as many as its plain size makes", () => {
  for (const plain of [0, 1, 16_384, 65_536]) {
    assert.equal(inlineFault(plain, sealedSize(plain), NONCE), undefined);
    assert.equal(inlineFault(plain, plain, NO_NONCE), undefined);
  }
  assert.equal(inlineFault(100, 100, NONCE), "an inline body of another size");
  assert.equal(inlineFault(100, 116, NO_NONCE), "an inline body of another size");
  assert.equal(inlineFault(65_537, sealedSize(65_537), NONCE), "an inline body too large");
});

test("manifests of sealed objects and parts have the sealed size", () => {
  const { size } = manifestOf({ key: key("k"), id: manifestId(1_700_000_000_000, 1) });
  const plain = size - 16n;
  assert.equal(BigInt(sealedSize(Number(plain))), size);
  assert.deepEqual(manifestFaults(plain, NONCE), [undefined, undefined]);
  assert.deepEqual(manifestFaults(size, NO_NONCE), [undefined, undefined]);
  for (const faults of [
    manifestFaults(size, NONCE),
    manifestFaults(plain, NO_NONCE),
    manifestFaults(2n ** 60n, NONCE),
  ]) {
    assert.deepEqual(faults, ["a manifest of another size", "a manifest of another size"]);
  }
});
