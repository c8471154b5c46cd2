// Golden bytes of everything sealed. The values were made by another implementation
// (pyca/cryptography 48: HKDF and AESGCM) from the description in services/lib/seal/README.md.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import type { Random } from "../../../services/lib/ports/random.ts";
import {
  accessKeyBinding,
  clientKeyBinding,
  dataKeyBinding,
  namedKeyBinding,
} from "../../../services/lib/seal/key-bindings.ts";
import { bodyKey } from "../../../services/lib/seal/key-derivation.ts";
import { openBody } from "../../../services/lib/seal/open-body.ts";
import { sealBody } from "../../../services/lib/seal/seal-body.ts";
import { type KeyBinding, openBytes, sealBytes } from "../../../services/lib/seal/sealed-bytes.ts";
import { unwrapKey, wrapKey } from "../../../services/lib/seal/wrapped-key.ts";
import { gathered, run, viewsOf } from "./streams.ts";

const DATA_KEY = run(0, 32);
const WRAPPING_KEY = run(200, 32);
const SALT = run(50, 32);
const KEY = bodyKey(DATA_KEY, run(100, 16));
const FIXED: Random = { bytes: () => SALT, below: () => 0 };

function pattern(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => (at * 7 + (at >> 8)) & 255);
}

test("derives the key of a body as HKDF-SHA-256 does", () => {
  assert.equal(
    Buffer.from(KEY).toString("hex"),
    "38db61eddcfe7602213415d484b8bc446b89a9fc73b078700819916d9826098a",
  );
});

test("seals five bytes to the bytes another implementation makes", async () => {
  const sealed = await gathered(
    sealBody(viewsOf(Buffer.from("hello"), [5]), { key: KEY, size: 5 }),
  );
  assert.equal(sealed.toString("hex"), "a8db26d79cfe609dd59962241265b882720e8e2192");
});

const BODIES: readonly (readonly [number, string])[] = [
  [65_535, "901f91fef7d93ee21c498ad8cb0a571af39886a173b35b848e255f302b72544c"],
  [65_536, "c8d075e50c14f59ce020aa260b67ce3664264e354f381e2d448eab3a430260f5"],
  [65_537, "522a74f20bd20ee194a19456187d6094cce096f17dfdef2e7f7465c1a0620bb5"],
  [200_000, "946141987f598ecfa87dc74f28b3595c3092e975250b41a322fc8a0623de3a79"],
];
for (const [size, expected] of BODIES) {
  test(`seals and opens ${size} bytes as another implementation does`, async () => {
    const plain = pattern(size);
    const sealed = await gathered(sealBody(viewsOf(plain, [1000]), { key: KEY, size }));
    assert.equal(createHash("sha256").update(sealed).digest("hex"), expected);
    const span = { first: 0, last: size - 1 };
    const opened = await gathered(openBody(viewsOf(sealed, [777]), { key: KEY, size, span }));
    assert.equal(Buffer.compare(opened, plain), 0);
  });
}

const HEAD = "0132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f5051";
const WRAPPED: readonly (readonly [string, KeyBinding, string])[] = [
  [
    "a version of a named key",
    namedKeyBinding("payroll", 3),
    "9976b7072b08bc4adf2abfe78d1701514f6bab0a27b90aea4210ae211b5800d03aeb28c3b6bee0a2ddb05c19d41eb2ec",
  ],
  [
    "a data key under a named key",
    dataKeyBinding({ bucketId: 7, keyName: "payroll", keyVersion: 3, context: "e30=" }),
    "8fcabaf10be816c6e2127ea2f091c966b13091ac33915ea405672cb10a71947b992925eb471cc5cc4ef9fd4ae2c48298",
  ],
  [
    "a data key under a client's key",
    clientKeyBinding(7),
    "4c2a1e7eeec69bf9528fa862e33f2eef0cf1332d86ddda63f6bd0d2c1ef95c5396c20bddfc1aab4653d1ed9ff2bbf482",
  ],
];
for (const [what, binding, tail] of WRAPPED) {
  test(`wraps ${what} to the bytes another implementation makes`, () => {
    const wrapping = { wrappingKey: WRAPPING_KEY, binding };
    const wrapped = Buffer.from(wrapKey(wrapping, DATA_KEY, FIXED));
    assert.equal(wrapped.toString("hex"), HEAD + tail);
    const key = unwrapKey(wrapping, wrapped);
    assert.ok(key !== undefined);
    assert.equal(Buffer.compare(key, DATA_KEY), 0);
  });
}

test("refuses a wrapped key of another format or length", () => {
  const wrapping = { wrappingKey: WRAPPING_KEY, binding: clientKeyBinding(7) };
  const wrapped = Buffer.from(wrapKey(wrapping, DATA_KEY, FIXED));
  const later = Buffer.from(wrapped);
  later[0] = 2;
  for (const bad of [later, wrapped.subarray(0, 80), Buffer.alloc(0)]) {
    assert.throws(
      () => unwrapKey(wrapping, bad),
      (error) => isStoreError(error, "corrupt"),
    );
  }
});

test("seals the secret of an access key as another implementation does", () => {
  const binding = accessKeyBinding("ann_org", "DKABCDEFGHIJKLMNOPQR");
  const wrapping = { wrappingKey: WRAPPING_KEY, binding };
  const secret = Buffer.from("wJalrXUtnFEMI-K7MDENG_bPxRfiCYEXAMPLEKEY");
  const sealed = sealBytes(wrapping, secret, FIXED);
  const [ciphertext, rest] = [
    "c760ee4c559186527568556797f0cff2d13ae6c573ea3a54ac4431b97cc58ce1aaede186a85e8ae3",
    "eee9cd0d5ce57a1651877c9dd657b79e",
  ];
  assert.equal(Buffer.from(sealed).toString("hex"), `${HEAD}${ciphertext}${rest}`);
  assert.deepEqual(openBytes(wrapping, sealed), secret);
  const other = { wrappingKey: WRAPPING_KEY, binding: accessKeyBinding("bob_org", "K") };
  assert.equal(openBytes(other, sealed), undefined);
});
