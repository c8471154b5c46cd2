// Bodies in aws-chunked: whatever way one is cut it decodes the same, what is taken has the length
// that was announced, and signed payload is that of a seed, because nothing here can sign anew.
import assert from "node:assert/strict";
import { ChunkedDecoder } from "../../services/lib/s3/chunked/chunked-decoder.ts";
import { isS3Error } from "../../services/lib/s3/errors.ts";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import { ChunkSigner, signHeaders } from "../../services/lib/s3/sigv4/sign.ts";
import { BASE, IDENTITY } from "../unit/s3/signed-calls.ts";
import type { FuzzTarget } from "./fuzz.ts";

/** The first byte of an input says how its body is framed. */
const FORMS = ["unsigned", "unsigned-trailer", "signed", "signed-trailer"] as const;
const PAYLOAD = Buffer.from("a body of some bytes, in two chunks");
const TRAILERS: readonly HeaderField[] = [["x-amz-checksum-crc32", "AAAAAA=="]];
const SIGNING = signHeaders(BASE, IDENTITY, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
const SIGNING_TRAILERS = signHeaders(BASE, IDENTITY, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER");
const PIECES = [PAYLOAD.subarray(0, 20), PAYLOAD.subarray(20)] as const;

function unsigned(tail: string): Buffer {
  const frames = PIECES.map((piece) => `${piece.byteLength.toString(16)}\r\n${piece}\r\n`);
  return Buffer.from(`${frames.join("")}0\r\n${tail}\r\n`);
}

function signed(signing: typeof SIGNING, trailers: readonly HeaderField[]): Buffer {
  const signer = new ChunkSigner(signing);
  const frames = PIECES.map((piece) => signer.chunk(piece));
  return Buffer.concat([...frames, signer.end(trailers)]);
}

function seed(form: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.of(form), body]);
}

const WORDS = [
  ..."\r\n|0\r\n\r\n|0\r\n|0;|;chunk-signature=|ffffffffffffffff|-1|+1|0x1| 1|00000000000000000001".split(
    "|",
  ),
  ..."x-amz-checksum-crc32:|AAAAAA==|x-amz-trailer-signature:|\n|\r|;a=b|14\r\n|f\r\n".split("|"),
].map((word) => Buffer.from(word));

interface Outcome {
  readonly payload: Buffer;
  readonly trailers: readonly (readonly [string, string])[];
  readonly refusal: string | undefined;
}

function decode(form: (typeof FORMS)[number], pieces: readonly Uint8Array[]): Outcome {
  const trailer = form.endsWith("trailer");
  const signing = form === "signed" ? SIGNING : SIGNING_TRAILERS;
  const payload: Buffer[] = [];
  try {
    const decoder = new ChunkedDecoder({
      decodedBytes: PAYLOAD.byteLength,
      signing: form.startsWith("signed") ? signing : undefined,
      trailer,
      trailerNames: trailer ? TRAILERS.map(([name]) => name) : [],
    });
    for (const piece of pieces) {
      for (const view of decoder.push(piece)) payload.push(Buffer.from(view));
    }
    const trailers = [...decoder.finish()];
    return { payload: Buffer.concat(payload), trailers, refusal: undefined };
  } catch (error) {
    if (!isS3Error(error)) throw error;
    return { payload: Buffer.alloc(0), trailers: [], refusal: error.code };
  }
}

export const CHUNKED_TARGET: FuzzTarget = {
  name: "chunked",
  seeds: [
    seed(0, unsigned("")),
    seed(1, unsigned("x-amz-checksum-crc32:AAAAAA==\r\n")),
    seed(2, signed(SIGNING, [])),
    seed(3, signed(SIGNING_TRAILERS, TRAILERS)),
  ],
  words: WORDS,
  bytesMax: 4096,
  run: (input) => {
    const form = FORMS[(input[0] ?? 0) % FORMS.length] ?? "unsigned";
    const body = input.subarray(1);
    const cut = body.byteLength === 0 ? 0 : (body[body.byteLength - 1] ?? 0) % body.byteLength;
    const whole = decode(form, [body]);
    const halves = decode(form, [body.subarray(0, cut), body.subarray(cut)]);
    assert.deepEqual(halves, whole, "cut in two");
    // The dear way, for some.
    if (cut % 8 === 0) {
      const bytes = Array.from(body, (byte) => Uint8Array.of(byte));
      assert.deepEqual(decode(form, bytes), whole, "byte by byte");
    }
    if (whole.refusal !== undefined) return { word: whole.refusal };
    assert.equal(whole.payload.byteLength, PAYLOAD.byteLength);
    if (form.startsWith("signed")) assert.ok(whole.payload.equals(PAYLOAD), "nobody signed that");
    if (form === "signed-trailer") assert.deepEqual(whole.trailers, TRAILERS);
    return { word: `taken, ${form}` };
  },
};
