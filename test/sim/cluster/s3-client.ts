// Signed S3 requests from a simulated client to a gateway of the cluster.
import { createHash } from "node:crypto";
import type { HeaderField } from "../../../services/lib/s3/headers.ts";
import { signHeaders } from "../../../services/lib/s3/sigv4/sign.ts";
import type { SimCluster } from "./cluster.ts";
import { exchange, type HttpAnswer } from "./http-call.ts";
import type { SimProcess } from "./process.ts";
import { type GatewayHandle, REGION, ROOT } from "./roles.ts";

export interface S3Call {
  readonly method: string;
  /** Origin-form, percent-encoded. */
  readonly target: string;
  readonly headers?: readonly HeaderField[];
  readonly body?: Uint8Array;
  /** The client vanishes after so many bytes of the request. */
  readonly cutAt?: number;
}

/**
 * - "unsent": no gateway took the connection, so nothing happened.
 * - "unknown": the connection broke, or nothing came in time.
 */
export type S3Result = HttpAnswer | "unsent" | "unknown";

const PATIENCE_MS = 60_000;

export async function callS3(
  cluster: SimCluster,
  gateway: SimProcess<GatewayHandle>,
  call: S3Call,
): Promise<S3Result> {
  const { running, life } = gateway;
  if (running === undefined || life === undefined) {
    await cluster.clock.sleep(5);
    return "unsent";
  }
  const bytes = requestBytes(call, cluster.clock.wallMs());
  const isHead = call.method === "HEAD";
  const { cutAt } = call;
  const sent = exchange(running.app, bytes, { isHead, ...(cutAt === undefined ? {} : { cutAt }) });
  const late = Promise.withResolvers<"unknown">();
  const timer = cluster.clock.after(PATIENCE_MS, () => late.resolve("unknown"));
  const forget = life.onEnd(() => late.resolve("unknown"));
  const answer = await Promise.race([sent.answer, late.promise]);
  timer.cancel();
  forget();
  if (answer === "unknown") sent.cut();
  return answer ?? "unknown";
}

function requestBytes(call: S3Call, nowMs: number): Buffer {
  const { method, target, headers = [], body = new Uint8Array(0) } = call;
  const fields: HeaderField[] = [["Host", "gateway"], ["Connection", "close"], ...headers];
  if (method === "PUT" || method === "POST") {
    fields.push(["Content-Length", String(body.byteLength)]);
  }
  const hash = createHash("sha256").update(body).digest("hex");
  const { accessKeyId, secret } = ROOT;
  const identity = { accessKeyId, secret, region: REGION, nowMs };
  const signed = signHeaders({ method, target, headers: fields }, identity, hash);
  const lines = signed.headers.map(([name, value]) => `${name}: ${value}`);
  const head = [`${method} ${target} HTTP/1.1`, ...lines, "", ""].join("\r\n");
  return Buffer.concat([Buffer.from(head, "latin1"), body]);
}
