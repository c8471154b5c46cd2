// Signature Version 4 of the few requests a load process sends, at the least cost: three headers
// are signed, the key of the day is kept, texts are joined and not parsed. A test compares it with
// the signer of lib/s3.
import { createHash, createHmac, hash } from "node:crypto";
import type { Endpoint } from "./job.ts";

export const UNSIGNED = "UNSIGNED-PAYLOAD";
export const EMPTY_SHA256 = createHash("sha256").digest("hex");

const SIGNED_HEADERS = "host;x-amz-content-sha256;x-amz-date";

export interface Request {
  readonly method: string;
  /** Percent-encoded as S3 wants it. */
  readonly path: string;
  /** `name=value` joined by `&`, in order of names, encoded; empty for none. */
  readonly query: string;
  /** Hex SHA-256 of the body, or UNSIGNED. */
  readonly payloadHash: string;
  readonly contentLength: number;
}

export class RequestSigner {
  readonly #endpoint: Endpoint;
  readonly #host: string;
  #date = "";
  #key: Buffer = Buffer.alloc(0);

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    this.#host = new URL(endpoint.url).host;
  }

  /** The whole head of the request, up to and with its empty line. */
  head({ method, path, query, payloadHash, contentLength }: Request, nowMs: number): string {
    const { region, accessKeyId } = this.#endpoint;
    const amzDate = `${new Date(nowMs).toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
    const date = amzDate.slice(0, 8);
    const scope = `${date}/${region}/s3/aws4_request`;
    const canonical =
      `${method}\n${path}\n${query}\nhost:${this.#host}\nx-amz-content-sha256:${payloadHash}\n` +
      `x-amz-date:${amzDate}\n\n${SIGNED_HEADERS}\n${payloadHash}`;
    const text = `AWS4-HMAC-SHA256\n${amzDate}\n${scope}\n${hash("sha256", canonical)}`;
    const signature = createHmac("sha256", this.#keyOf(date)).update(text).digest("hex");
    return (
      `${method} ${query === "" ? path : `${path}?${query}`} HTTP/1.1\r\nHost: ${this.#host}\r\n` +
      `x-amz-date: ${amzDate}\r\nx-amz-content-sha256: ${payloadHash}\r\n` +
      `Authorization: AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, ` +
      `SignedHeaders=${SIGNED_HEADERS}, Signature=${signature}\r\n` +
      `Content-Length: ${contentLength}\r\n\r\n`
    );
  }

  #keyOf(date: string): Buffer {
    if (date === this.#date) return this.#key;
    const { region, secretAccessKey } = this.#endpoint;
    const steps = [date, region, "s3", "aws4_request"];
    let key: Buffer = Buffer.from(`AWS4${secretAccessKey}`);
    for (const step of steps) key = createHmac("sha256", key).update(step).digest();
    this.#key = key;
    this.#date = date;
    return key;
  }
}
