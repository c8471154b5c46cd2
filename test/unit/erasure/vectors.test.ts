// Agreement with other implementations of the same code, by values they publish.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createXXHash64 } from "hash-wasm";
import { createErasureCompute } from "../../../services/lib/erasure/compute.ts";
import { multiplyBytes } from "../../../services/lib/erasure/matrix.ts";
import { encodeByOracle } from "./oracle.ts";

const compute = createErasureCompute();

test("multiplies as the tables of klauspost/reedsolomon do", () => {
  // klauspost/reedsolomon, galois_test.go, testGalois: products of 25 and 177.
  const bytes = [0, 1, 2, 3, 4, 5, 6, 10, 50, 100, 150, 174, 201, 255, 99, 32, 67, 85];
  const by25 = "0019322b647d56fab86dc785c31f220725fe";
  const by177 = "00b17fcefe4f819e0306e875bd4036a395cb";
  assert.equal(Buffer.from(bytes.map((byte) => multiplyBytes(25, byte))).toString("hex"), by25);
  assert.equal(Buffer.from(bytes.map((byte) => multiplyBytes(177, byte))).toString("hex"), by177);
  assert.equal(multiplyBytes(23, 45), 41);
  assert.equal(multiplyBytes(0, 45), 0);
});

test("encodes the 5+5 vector of JavaReedSolomon and klauspost/reedsolomon", () => {
  // Backblaze JavaReedSolomon, ReedSolomonTest.testOneEncode; klauspost reedsolomon_test.go,
  // TestOneEncode.
  const data = ["0001", "0405", "0203", "0607", "0809"].map((hex) => Buffer.from(hex, "hex"));
  const expected = ["0c0d", "0a0b", "0e0f", "5a5b", "5e5f"];
  const parity = Array.from({ length: 5 }, () => new Uint8Array(2));
  compute.encode(data, parity);
  assert.deepEqual(
    parity.map((row) => Buffer.from(row).toString("hex")),
    expected,
  );
  assert.deepEqual(
    encodeByOracle(data, 5).map((row) => Buffer.from(row).toString("hex")),
    expected,
  );
});

/**
 * XXH64 over (shard number as a byte, shard) for every shard of the bytes 0..255 cut into k shards,
 * zero-padded. Source: minio/minio, cmd/erasure-coding.go, the expected values of erasureSelfTest.
 */
const SELF_TEST: readonly (readonly [number, number, string])[] = [
  [2, 2, "23fb21be2496f5d3"],
  [2, 3, "a5cd5600ba0d8e7c"],
  [3, 1, "60ab052148b010b4"],
  [3, 2, "e64927daef76435a"],
  [3, 3, "672f6f242b227b21"],
  [4, 1, "524eaa814d5d86e2"],
  [4, 2, "62b9552945504fef"],
  [4, 4, "09a07581dcd03da8"],
  [5, 6, "7b5598a85045bfb8"],
  [6, 2, "7ed133de5ca6a58e"],
  [6, 3, "39ef92d0a74cc3c0"],
  [7, 8, "1867a9f4db315b5c"],
  [8, 4, "03ba5e9b41bf07f0"],
  [8, 7, "50748e0099d657e8"],
  [10, 4, "6c1cba8631de994a"],
  [11, 4, "b2643390973702d6"],
  [12, 3, "d5ce58368ae90b13"],
  [13, 2, "0cb8460aa4cf6613"],
  [14, 1, "78a28bbaec57996e"],
];

for (const [k, m, expected] of SELF_TEST) {
  test(`encodes ${k}+${m} to the checksum of MinIO's self-test`, async () => {
    const length = Math.ceil(256 / k);
    const source = new Uint8Array(k * length);
    for (let index = 0; index < 256; index += 1) source[index] = index;
    const data = Array.from({ length: k }, (_, i) => source.subarray(i * length, (i + 1) * length));
    const parity = Array.from({ length: m }, () => new Uint8Array(length));
    compute.encode(data, parity);
    const hasher = await createXXHash64();
    [...data, ...parity].forEach((shard, index) => {
      hasher.update(Uint8Array.of(index));
      hasher.update(shard);
    });
    assert.equal(hasher.digest("hex"), expected);
  });
}
