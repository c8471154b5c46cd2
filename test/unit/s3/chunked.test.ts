// aws-chunked bodies: any split gives the same result, and every lie about size, order, signature
// or trailer is refused (group A3 of the security page).
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { AssertionFailure } from "../../../services/lib/base/assert.ts";
import {
  ChunkedDecoder,
  type ChunkedOptions,
} from "../../../services/lib/s3/chunked/chunked-decoder.ts";
import { isS3Error, type S3ErrorCode } from "../../../services/lib/s3/errors.ts";
import type { HeaderField } from "../../../services/lib/s3/headers.ts";
import { ChunkSigner } from "../../../services/lib/s3/sigv4/sign.ts";
import { expectS3Error } from "./expect-s3-error.ts";

const SIGNING = {
  signingKey: Buffer.alloc(32, 7),
  scope: "20260131/eu-1/s3/aws4_request",
  amzDate: "20260131T000000Z",
  seedSignature: "ab".repeat(32),
};
const TRAILER: HeaderField = ["x-amz-checksum-crc32", "AAAAAA=="];

interface Decoded {
  readonly payload: Buffer;
  readonly trailers: ReadonlyMap<string, string>;
}

function decodeAll(options: ChunkedOptions, pieces: readonly Uint8Array[]): Decoded {
  const decoder = new ChunkedDecoder(options);
  const views = pieces.flatMap((piece) => decoder.push(piece));
  return { payload: Buffer.concat(views), trailers: decoder.finish() };
}

function options(payload: Uint8Array, changes: Partial<ChunkedOptions> = {}): ChunkedOptions {
  return {
    decodedBytes: payload.byteLength,
    signing: SIGNING,
    trailer: false,
    trailerNames: [],
    ...changes,
  };
}

function cut(payload: Uint8Array, size: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < payload.byteLength; at += size)
    pieces.push(payload.subarray(at, at + size));
  return pieces;
}

function signedBody(
  chunks: readonly Uint8Array[],
  trailers: readonly HeaderField[] = [],
): Buffer[] {
  const signer = new ChunkSigner(SIGNING);
  return [...chunks.map((chunk) => signer.chunk(chunk)), signer.end(trailers)];
}

function unsignedBody(chunks: readonly Uint8Array[], tail: string): Buffer {
  const frames = chunks.map((chunk) => [
    Buffer.from(`${chunk.byteLength.toString(16).toUpperCase()}\r\n`),
    chunk,
    Buffer.from("\r\n"),
  ]);
  return Buffer.concat([...frames.flat(), Buffer.from(`0\r\n${tail}`)]);
}

const PAYLOAD = Buffer.from("the quick brown fox jumps over the lazy dog");
const UNSIGNED = { signing: undefined, trailer: true, trailerNames: [TRAILER[0]] };

function refuse(code: S3ErrorCode, body: Uint8Array, settings: ChunkedOptions): void {
  for (const size of [body.byteLength || 1, 1]) {
    expectS3Error(code, () => decodeAll(settings, cut(body, size)));
  }
}

describe("accepts", () => {
  test("any split of any body, in all four forms", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        sizes,
        sizes,
        fc.boolean(),
        fc.boolean(),
        (payload, chunkSizes, splits, signed, withTrailer) => {
          const chunks = cutBy(payload, chunkSizes);
          const trailers = withTrailer ? [TRAILER] : [];
          const tail = withTrailer ? `${TRAILER.join(":")}\r\n\r\n` : "\r\n";
          const body = signed
            ? Buffer.concat(signedBody(chunks, trailers))
            : unsignedBody(chunks, tail);
          const settings = options(payload, {
            signing: signed ? SIGNING : undefined,
            trailer: withTrailer || !signed,
            trailerNames: trailers.map(([name]) => name),
          });
          const decoded = decodeAll(settings, cutBy(body, splits));
          assert.deepEqual(decoded.payload, Buffer.from(payload));
          assert.deepEqual([...decoded.trailers], trailers);
        },
      ),
    );
  });

  test("payload comes as views of the input", () => {
    const body = Buffer.concat(signedBody([PAYLOAD]));
    const views = new ChunkedDecoder(options(PAYLOAD)).push(body);
    assert.equal(views.length, 1);
    assert.equal(views[0]?.buffer, body.buffer);
  });

  test("an empty body", () => {
    const empty = new Uint8Array(0);
    assert.equal(decodeAll(options(empty), signedBody([])).payload.byteLength, 0);
  });

  test("trailer lines as other clients write them", () => {
    const line = `X-Amz-Checksum-CRC32: ${TRAILER[1]} `;
    for (const tail of [
      `${line}\r\n\r\n`,
      `${line}\n\r\n`,
      `${line}\n\r\n\r\n`,
      `${line}\r\n\r\n\r\n`,
    ]) {
      const decoded = decodeAll(options(PAYLOAD, UNSIGNED), [unsignedBody([PAYLOAD], tail)]);
      assert.equal(decoded.trailers.get(TRAILER[0]), TRAILER[1], JSON.stringify(tail));
    }
  });
});

function cutBy(payload: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (let index = 0; at < payload.byteLength; index += 1) {
    const size = sizes[index % sizes.length] ?? 1;
    pieces.push(payload.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

describe("refuses signed bodies", () => {
  const chunks = cut(PAYLOAD, 10);
  const frames = signedBody(chunks);
  const whole = Buffer.concat(frames);

  test("(3) CVE-2021-21390 that end early, at every byte", () => {
    for (let length = 0; length < whole.byteLength; length += 1) {
      const pieces = [whole.subarray(0, length)];
      expectS3Error("IncompleteBody", () => decodeAll(options(PAYLOAD), pieces));
    }
  });

  test("with any bit flipped", () => {
    for (let at = 0; at < whole.byteLength; at += 1) {
      const bad = Buffer.from(whole);
      bad[at] = (bad[at] ?? 0) ^ 1;
      assert.throws(
        () => decodeAll(options(PAYLOAD), [bad]),
        (error) => isS3Error(error) && error.status < 500,
        `byte ${at}`,
      );
    }
  });

  test("(3) with chunks dropped, reordered or replayed", () => {
    const [first, second, ...rest] = frames;
    assert.ok(first && second);
    const longer = (extra: number): ChunkedOptions => options(Buffer.alloc(PAYLOAD.length + extra));
    refuse("SignatureDoesNotMatch", Buffer.concat([second, first, ...rest]), longer(0));
    refuse("SignatureDoesNotMatch", Buffer.concat([second, ...rest]), longer(-10));
    refuse("SignatureDoesNotMatch", Buffer.concat([first, first, second, ...rest]), longer(10));
    refuse(
      "SignatureDoesNotMatch",
      Buffer.concat([...frames.slice(0, 2), ...frames.slice(-1)]),
      longer(20 - PAYLOAD.length),
    );
  });

  test("from another seed, key, scope or date", () => {
    for (const change of [
      { seedSignature: "cd".repeat(32) },
      { signingKey: Buffer.alloc(32, 8) },
      { scope: "20260131/eu-2/s3/aws4_request" },
      { amzDate: "20260131T000001Z" },
    ]) {
      refuse(
        "SignatureDoesNotMatch",
        whole,
        options(PAYLOAD, { signing: { ...SIGNING, ...change } }),
      );
    }
  });

  test("that are unsigned, and unsigned ones that are signed", () => {
    refuse("InvalidRequest", unsignedBody([PAYLOAD], "\r\n"), options(PAYLOAD));
    const unsigned = options(PAYLOAD, { signing: undefined, trailer: true });
    refuse("InvalidRequest", whole, unsigned);
  });

  test("(3) that are longer or shorter than announced, or go on after the end", () => {
    refuse("IncompleteBody", whole, options(PAYLOAD.subarray(1)));
    refuse("IncompleteBody", whole, options(Buffer.alloc(PAYLOAD.length + 1)));
    refuse("InvalidRequest", Buffer.concat([whole, Buffer.from("\r\n")]), options(PAYLOAD));
    refuse("InvalidRequest", Buffer.concat([whole, whole]), options(PAYLOAD));
  });
});

describe("refuses chunk headers", () => {
  const unsigned = (header: string): Buffer => Buffer.from(`${header}\r\nabc\r\n0\r\n\r\n`);
  const settings = options(Buffer.alloc(3), { signing: undefined, trailer: true });

  for (const header of [
    "",
    "x",
    "-3",
    "+3",
    "0x3",
    "3 ",
    " 3",
    "3;a=b",
    "3;chunk-signature=",
    "3\r",
    "3.0",
    "\u0663",
  ]) {
    test(JSON.stringify(header), () => refuse("InvalidRequest", unsigned(header), settings));
  }

  test("(3) with a size past all bounds", () => {
    refuse("IncompleteBody", unsigned("4"), settings);
    refuse("IncompleteBody", unsigned("1fffffffffffff"), settings);
    refuse("InvalidRequest", unsigned("20000000000000"), settings);
    refuse("InvalidRequest", unsigned("ffffffffffffffff"), settings);
    refuse("InvalidRequest", unsigned("10000000000000003"), settings);
  });

  test("(3) with floods of extensions, ended or not", () => {
    refuse("InvalidRequest", unsigned(`3;${"a=b;".repeat(500)}`), settings);
    refuse("InvalidRequest", Buffer.from(`3;${"a".repeat(9000)}`), settings);
  });

  test("with a bare line feed", () => {
    refuse("InvalidRequest", Buffer.from("3\nabc\r\n0\r\n\r\n"), settings);
    refuse("InvalidRequest", Buffer.from("3\r\nabc\n0\r\n\r\n"), settings);
    refuse("InvalidRequest", Buffer.from("3\r\nabcd\r\n0\r\n\r\n"), settings);
  });

  test("leading zeros are digits", () => {
    assert.equal(decodeAll(settings, [unsigned("0003")]).payload.toString(), "abc");
  });
});

describe("refuses trailers", () => {
  const body = (tail: string): Buffer => unsignedBody([PAYLOAD], tail);
  const settings = options(PAYLOAD, UNSIGNED);
  const line = TRAILER.join(":");

  for (const [name, tail] of [
    ["missing", "\r\n"],
    ["not announced", "x-amz-checksum-sha1:AAAA\r\n\r\n"],
    ["repeated", `${line}\r\n${line}\r\n\r\n`],
    ["without a colon", "x-amz-checksum-crc32\r\n\r\n"],
    ["with control characters", "x-amz-checksum-crc32:A\u0001\r\n\r\n"],
    ["with a signature in an unsigned body", `${line}\r\nx-amz-trailer-signature:ab\r\n\r\n`],
    ["named __proto__", `__proto__:1\r\n${line}\r\n\r\n`],
    ["too long", `x-amz-checksum-crc32:${"A".repeat(8170)}\r\n\r\n`],
  ] as const) {
    test(name, () => refuse("MalformedTrailerError", body(tail), settings));
  }

  test("that never end, or end early", () => {
    refuse("InvalidRequest", body("a".repeat(10_000)), settings);
    refuse("IncompleteBody", body(`${line}\r\n`), settings);
    refuse("InvalidRequest", body(`${line}\r\n\r\nmore`), settings);
    refuse("InvalidRequest", body(`${line}\r\n\r\n\r\n\r\n`), settings);
  });

  test("(3) of signed bodies: unsigned, altered, signed by another chain, with lines after", () => {
    const signed = options(PAYLOAD, { trailer: true, trailerNames: [TRAILER[0]] });
    const text = Buffer.concat(signedBody([PAYLOAD], [TRAILER])).toString("latin1");
    const refuseText = (code: S3ErrorCode, from: string | RegExp, to: string): void => {
      assert.notEqual(text.replace(from, to), text);
      refuse(code, Buffer.from(text.replace(from, to), "latin1"), signed);
    };
    refuseText("SignatureDoesNotMatch", "AAAAAA==", "AAAABA==");
    refuseText("SignatureDoesNotMatch", /x-amz-trailer-signature:./, "x-amz-trailer-signature:g");
    refuseText("SignatureDoesNotMatch", /x-amz-trailer-signature:.*\r\n/, "\r\n");
    refuseText(
      "MalformedTrailerError",
      /(x-amz-trailer-signature:.*\r\n)/,
      "$1x-amz-checksum-crc32c:A\r\n",
    );
    refuseText("MalformedTrailerError", /x-amz-checksum-crc32:.*\r\n/, "");
    refuseText("IncompleteBody", /x-amz-trailer-signature:.*\r\n/, "");
    const late = "x-amz-checksum-sha1:A";
    const both = options(PAYLOAD, {
      trailer: true,
      trailerNames: [TRAILER[0], "x-amz-checksum-sha1"],
    });
    const afterwards = text.replace(/(x-amz-trailer-signature:.*\r\n)/, `$1${late}\r\n`);
    refuse("MalformedTrailerError", Buffer.from(afterwards, "latin1"), both);
    const none = options(PAYLOAD, { trailer: true });
    assert.equal(decodeAll(none, signedBody([PAYLOAD])).trailers.size, 0);
  });

  test("announced for a form without", () => {
    const settingsWithout = options(PAYLOAD, { trailerNames: [TRAILER[0]] });
    expectS3Error("InvalidRequest", () => new ChunkedDecoder(settingsWithout));
  });
});

test("(3) GHSA-v2ch random bytes are refused, never crash, and the decoder stays shut", () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(bytes, fc.boolean(), fc.boolean(), (body, signed, trailer) => {
      const settings = { ...options(PAYLOAD), signing: signed ? SIGNING : undefined, trailer };
      const decoder = new ChunkedDecoder(settings);
      try {
        decoder.push(body);
        expectS3Error("IncompleteBody", () => decoder.finish());
      } catch (error) {
        assert.ok(isS3Error(error), String(error));
        assert.throws(() => decoder.push(body), AssertionFailure);
        assert.throws(() => decoder.finish(), AssertionFailure);
      }
    }),
  );
  const noise = Buffer.alloc(100_000, "a");
  expectS3Error("InvalidRequest", () => new ChunkedDecoder(options(noise)).push(noise));
});
