// Checksums: published check values, incremental and interleaved hashing, combination of parts
// against direct computation, and the headers that state them.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { before, describe, test } from "node:test";
import fc from "fast-check";
import { AssertionFailure } from "../../../services/lib/base/assert.ts";
import { toHex } from "../../../services/lib/base/bytes.ts";
import { decodeBase64, encodeBase64 } from "../../../services/lib/s3/base64.ts";
import {
  type CrcAlgorithm,
  checksumText,
  compositeOfParts,
  fullObjectOfParts,
  isCrcAlgorithm,
  multipartEtag,
} from "../../../services/lib/s3/checksum-combine.ts";
import {
  algorithmOfHeader,
  checkChecksum,
  checkContentMd5,
  checkContentSha256,
  checksumHeaderName,
  parseChecksumHeaders,
  parseContentMd5,
  parseCopyChecksumAlgorithm,
  parseMultipartChecksum,
  parseTrailerNames,
} from "../../../services/lib/s3/checksum-headers.ts";
import {
  CHECKSUM_ALGORITHMS,
  type ChecksumFactory,
  digestBytes,
  digestOf,
  HasherSet,
  type HashName,
  loadChecksums,
} from "../../../services/lib/s3/checksums.ts";
import { type HeaderField, HeaderList } from "../../../services/lib/s3/headers.ts";
import { expectS3Error } from "./expect-s3-error.ts";

const NAMES: readonly HashName[] = CHECKSUM_ALGORITHMS;
const CRCS: readonly CrcAlgorithm[] = ["CRC32", "CRC32C", "CRC64NVME"];
let factory: ChecksumFactory;
before(async () => {
  factory = await loadChecksums();
});

describe("hashers", () => {
  // The check values of the CRC catalogue, and RFC 1321 and FIPS 180 digests, for "123456789".
  const CHECK: readonly (readonly [HashName, string])[] = [
    ["CRC32", "cbf43926"],
    ["CRC32C", "e3069283"],
    ["CRC64NVME", "ae8b14860a799888"],
    ["SHA1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"],
    ["SHA256", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"],
    [
      "SHA512",
      "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274a" +
        "d27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85",
    ],
    ["MD5", "25f9e794323b453885f5181f1b624d0b"],
    ["XXHASH64", "8cb841db40e6ae83"],
  ];
  for (const [name, hex] of CHECK) {
    test(`${name} of the check string and of nothing`, () => {
      assert.equal(toHex(digestOf(factory, name, Buffer.from("123456789"))), hex);
      assert.equal(factory.create(name).digest().byteLength, digestBytes(name));
      const empty = digestOf(factory, name, new Uint8Array(0));
      assert.deepEqual(Buffer.from(factory.create(name).digest()), Buffer.from(empty));
      if (isCrcAlgorithm(name as "CRC32")) assert.match(toHex(empty), /^0+$/);
    });
  }

  test("the published digests of xxHash", () => {
    const hash = (name: HashName, text: string) =>
      toHex(digestOf(factory, name, Buffer.from(text)));
    assert.equal(hash("XXHASH64", ""), "ef46db3751d8e999");
    assert.equal(hash("XXHASH64", "abc"), "44bc2cf5ad770999");
    assert.equal(hash("XXHASH3", ""), "2d06800538d394c2");
    assert.equal(hash("XXHASH3", "abc"), "78af5f94892f3950");
    assert.equal(hash("XXHASH128", ""), "99aa06d3014798d86001c324468d497f");
    assert.equal(hash("XXHASH128", "abc"), "06b05ab6733a618578af5f94892f3950");
    for (const name of NAMES) assert.equal(hash(name, "x").length, 2 * digestBytes(name));
  });

  test("hashers fed in turns do not mix", () => {
    const feeds = fc.array(fc.tuple(fc.nat(5), fc.uint8Array({ maxLength: 50 })), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(feeds, fc.constantFrom(...NAMES), (pieces, name) => {
        const lanes = Array.from({ length: 6 }, () => factory.create(name));
        for (const [lane, bytes] of pieces) lanes[lane]?.update(bytes);
        lanes.forEach((hasher, lane) => {
          const mine = pieces.filter(([other]) => other === lane).map(([, bytes]) => bytes);
          const whole = digestOf(factory, name, Buffer.concat(mine));
          assert.equal(toHex(hasher.digest()), toHex(whole));
        });
      }),
    );
  });

  test("a digest ends a hasher", () => {
    for (const name of CRCS) {
      const hasher = factory.create(name);
      hasher.digest();
      assert.throws(() => hasher.update(new Uint8Array(1)), AssertionFailure);
      assert.throws(() => hasher.digest(), AssertionFailure);
    }
  });

  test("a set computes each name once and tells it again", () => {
    const set = new HasherSet(factory, ["MD5", "CRC32C", "MD5"]);
    set.update(Buffer.from("12345"));
    set.update(Buffer.from("6789"));
    assert.equal(toHex(set.digest("CRC32C")), "e3069283");
    assert.equal(set.digest("MD5"), set.digest("MD5"));
    assert.throws(() => set.digest("SHA1"), AssertionFailure);
  });
});

describe("combination", () => {
  test("the CRC of parts is the CRC of the whole", () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(parts, fc.constantFrom(...CRCS), (bodies, algorithm) => {
        const digests = bodies.map((body) => ({
          digest: digestOf(factory, algorithm, body),
          bytes: body.byteLength,
        }));
        const whole = digestOf(factory, algorithm, Buffer.concat(bodies));
        assert.equal(toHex(fullObjectOfParts(algorithm, digests)), toHex(whole));
      }),
    );
  });

  test("large equal parts", () => {
    const body = Buffer.alloc(5 * 1024 * 1024 + 3, "dolium");
    for (const algorithm of CRCS) {
      const digest = digestOf(factory, algorithm, body);
      const hasher = factory.create(algorithm);
      for (let count = 0; count < 3; count += 1) hasher.update(body);
      const part = { digest, bytes: body.byteLength };
      assert.equal(toHex(fullObjectOfParts(algorithm, [part, part, part])), toHex(hasher.digest()));
    }
  });

  test("ten thousand parts of terabytes in less than two seconds", () => {
    const parts = Array.from({ length: 10_000 }, (_, index) => ({
      digest: Buffer.alloc(8, index),
      bytes: 512 * 1024 * 1024,
    }));
    const started = process.hrtime.bigint();
    fullObjectOfParts("CRC64NVME", parts);
    assert.ok(process.hrtime.bigint() - started < 10_000_000_000n);
  });

  test("composite checksums and multipart entity tags", () => {
    const md5s = ["a", "b"].map((text) => createHash("md5").update(text).digest());
    const expected = createHash("md5").update(Buffer.concat(md5s)).digest("hex");
    assert.equal(multipartEtag(md5s), `${expected}-2`);
    const digests = ["a", "b"].map((text) => createHash("sha256").update(text).digest());
    const composite = compositeOfParts(factory, "SHA256", digests);
    const direct = createHash("sha256").update(Buffer.concat(digests)).digest("base64");
    assert.equal(checksumText(composite, 2), `${direct}-2`);
    assert.equal(checksumText(composite, undefined), direct);
    assert.throws(() => multipartEtag([]), AssertionFailure);
    assert.throws(() => fullObjectOfParts("CRC32", []), AssertionFailure);
    const wrong = [{ digest: new Uint8Array(8), bytes: 1 }];
    assert.throws(() => fullObjectOfParts("CRC32", wrong), AssertionFailure);
  });
});

test("base64 is canonical or nothing", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      assert.deepEqual(decodeBase64(encodeBase64(bytes)), Buffer.from(bytes));
    }),
  );
  for (const bad of [
    "A",
    "AA",
    "AAA",
    "AA=",
    "AA==\n",
    "AB==",
    "A===",
    "====",
    "AA-_",
    " AAA",
    "AAA=AAAA",
  ]) {
    assert.equal(decodeBase64(bad), undefined, bad);
  }
});

describe("headers", () => {
  const list = (...fields: readonly HeaderField[]): HeaderList => new HeaderList(fields);
  const CRC32_TEXT = "y/Q5Jg==";

  test("Content-MD5", () => {
    const md5 = createHash("md5").update("x").digest();
    const headers = list(["Content-MD5", md5.toString("base64")]);
    assert.deepEqual(parseContentMd5(headers), md5);
    assert.equal(parseContentMd5(list()), undefined);
    checkContentMd5(md5, md5);
    expectS3Error("BadDigest", () => checkContentMd5(md5, Buffer.alloc(16)));
    for (const bad of ["", "x", md5.toString("hex"), encodeBase64(Buffer.alloc(15)), "AAAA"]) {
      expectS3Error("InvalidDigest", () => parseContentMd5(list(["content-md5", bad])));
    }
  });

  test("x-amz-checksum-*", () => {
    assert.equal(parseChecksumHeaders(list()), undefined);
    assert.deepEqual(parseChecksumHeaders(list(["x-amz-checksum-crc32", CRC32_TEXT])), {
      algorithm: "CRC32",
      value: { kind: "header", digest: Buffer.from("cbf43926", "hex") },
    });
    const trailer: HeaderField = ["x-amz-trailer", " X-Amz-Checksum-CRC64NVME "];
    assert.deepEqual(
      parseChecksumHeaders(list(trailer, ["x-amz-sdk-checksum-algorithm", "crc64nvme"])),
      { algorithm: "CRC64NVME", value: { kind: "trailer", name: "x-amz-checksum-crc64nvme" } },
    );
    assert.equal(parseChecksumHeaders(list(["x-amz-checksum-mode", "ENABLED"])), undefined);
    const older = list(["x-amz-sdk-checksum-algorithm", "MD5"], ["content-md5", "x"]);
    assert.equal(parseChecksumHeaders(older), undefined);
    for (const algorithm of CHECKSUM_ALGORITHMS) {
      assert.equal(algorithmOfHeader(checksumHeaderName(algorithm)), algorithm);
    }
  });

  for (const fields of [
    [["x-amz-checksum-crc32", "y/Q5"]],
    [["x-amz-checksum-crc32", "cbf43926"]],
    [["x-amz-checksum-crc32", ""]],
    [["x-amz-checksum-crc32", `${CRC32_TEXT}-2`]],
    [["x-amz-checksum-foo", CRC32_TEXT]],
    [["x-amz-checksum-__proto__", CRC32_TEXT]],
    [
      ["x-amz-checksum-crc32", CRC32_TEXT],
      ["x-amz-checksum-crc32c", CRC32_TEXT],
    ],
    [
      ["x-amz-checksum-crc32", CRC32_TEXT],
      ["x-amz-trailer", "x-amz-checksum-crc32"],
    ],
    [
      ["x-amz-checksum-crc32", CRC32_TEXT],
      ["x-amz-sdk-checksum-algorithm", "SHA1"],
    ],
    [["x-amz-sdk-checksum-algorithm", "CRC32"]],
    [["x-amz-sdk-checksum-algorithm", "MD5"]],
    [["x-amz-sdk-checksum-algorithm", "toString"]],
    [["x-amz-trailer", "content-md5"]],
    [["x-amz-trailer", ""]],
    [["x-amz-trailer", "x-amz-checksum-crc32,x-amz-checksum-crc32"]],
    [["x-amz-trailer", "x-amz-checksum-crc32,x-amz-checksum-sha1"]],
  ] satisfies HeaderField[][]) {
    test(`refuses ${JSON.stringify(fields)}`, () => {
      expectS3Error("InvalidRequest", () => parseChecksumHeaders(list(...fields)));
    });
  }

  test("multipart algorithm and type", () => {
    const parse = (algorithm?: string, type?: string): unknown =>
      parseMultipartChecksum(
        list(
          ...(algorithm === undefined ? [] : [["x-amz-checksum-algorithm", algorithm] as const]),
          ...(type === undefined ? [] : [["x-amz-checksum-type", type] as const]),
        ),
      );
    assert.equal(parse(), undefined);
    assert.deepEqual(parse("CRC32"), { algorithm: "CRC32", type: "COMPOSITE" });
    assert.deepEqual(parse("crc32c", "FULL_OBJECT"), { algorithm: "CRC32C", type: "FULL_OBJECT" });
    assert.deepEqual(parse("CRC64NVME"), { algorithm: "CRC64NVME", type: "FULL_OBJECT" });
    for (const algorithm of ["SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"]) {
      assert.deepEqual(parse(algorithm.toLowerCase()), { algorithm, type: "COMPOSITE" });
    }
    for (const [algorithm, type] of [
      ["SHA1", "FULL_OBJECT"],
      ["SHA256", "FULL_OBJECT"],
      ["SHA512", "FULL_OBJECT"],
      ["MD5", "FULL_OBJECT"],
      ["XXHASH3", "FULL_OBJECT"],
      ["CRC64NVME", "COMPOSITE"],
      ["CRC32", "full_object"],
      ["MD4", undefined],
      [undefined, "COMPOSITE"],
    ] as const) {
      expectS3Error("InvalidRequest", () => parse(algorithm, type));
    }
    assert.equal(parseCopyChecksumAlgorithm(list(["x-amz-checksum-algorithm", "SHA1"])), "SHA1");
    assert.deepEqual(parseTrailerNames(list()), []);
  });

  test("comparison with what was computed", () => {
    const crc = Buffer.from("cbf43926", "hex");
    checkChecksum("CRC32", crc, Buffer.from(crc));
    const error = expectS3Error("BadDigest", () => checkChecksum("CRC32", crc, Buffer.alloc(4)));
    assert.equal(error.message, "The CRC32 you specified did not match the calculated checksum.");
    assert.throws(() => checkChecksum("SHA1", crc, crc), AssertionFailure);
    const sha256 = Buffer.alloc(32, 1);
    checkContentSha256(sha256, Buffer.from(sha256));
    expectS3Error("XAmzContentSHA256Mismatch", () => checkContentSha256(sha256, Buffer.alloc(32)));
  });
});
