// Requests as the AWS SDKs for Java write them over Apache HttpClient: Host, the SDK's own lines in
// the order of a map without case, then HttpClient's length, Connection, Expect. Version 1 signs
// the user agent, sends uploads in signed chunks of 128 KiB without naming a Content-Encoding and
// says Content-Length: 0 on GET; compared with what 1.12.797 wrote to a socket. Version 2 names the
// encoding and ends an upload with a signed CRC-32.
import { randomUUID } from "node:crypto";
import { crc32 } from "node:zlib";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import {
  chunkedSize,
  DATE,
  HASH,
  SIGNATURE,
  type Signed,
  signV4,
  sortedLines,
  type User,
} from "./replay.ts";

const AGENT_1 =
  "aws-sdk-java/1.12.797 Linux/5.15.0-100-generic OpenJDK_64-Bit_Server_VM/21.0.2+13-58 " +
  "java/21.0.2 vendor/Oracle_Corporation cfg/retry-mode/legacy cfg/auth-source#unknown m/P";
const AGENT_2 =
  "aws-sdk-java/2.31.78 md/io#sync md/http#Apache ua/2.1 os/Linux#5.15.0-100-generic " +
  "lang/java#24.0.1 md/OpenJDK_64-Bit_Server_VM#24.0.1+9-30 md/vendor#Oracle_Corporation m/D,N";
/** Neither version signs these; HttpClient adds them, and trace ids change on the way. */
const UNSIGNED = ["connection", "expect", "x-amzn-trace-id"];

export interface JavaCall {
  readonly method: string;
  readonly target: string;
  /** Lines of this call beside those that every call has. */
  readonly lines?: readonly HeaderField[];
  readonly body?: Uint8Array;
  /** PutObject and UploadPart: the body goes in chunks. */
  readonly isUpload?: boolean;
}

/** How one version of the SDK makes a request of a call. */
export type JavaSdk = (user: User, host: string, call: JavaCall) => Signed;

interface Common {
  readonly agent: string;
  /** HttpClient's lines for a call without a body, which are not signed. */
  readonly bodiless: (method: string) => readonly HeaderField[];
  /** Expect stands among the SDK's own lines. */
  readonly isExpectOwn: boolean;
  readonly attempt: readonly HeaderField[];
  readonly unsigned: readonly string[];
  /** What an upload says of its body beside its length. */
  readonly upload: (body: Uint8Array) => readonly HeaderField[];
  readonly trailers: (body: Uint8Array) => readonly HeaderField[] | undefined;
}

function request(user: User, host: string, call: JavaCall, common: Common): Signed {
  const { method, target, isUpload = false, body = new Uint8Array(0) } = call;
  const trailers = isUpload ? common.trailers(body) : undefined;
  const size = isUpload ? chunkedSize(body.byteLength, trailers) : body.byteLength;
  const hasBody = call.body !== undefined;
  const expect: readonly HeaderField[] =
    method === "PUT" && hasBody ? [["Expect", "100-continue"]] : [];
  const own: HeaderField[] = [
    ["amz-sdk-invocation-id", randomUUID()],
    ...common.attempt,
    ["Authorization", SIGNATURE],
    ["User-Agent", common.agent],
    ["x-amz-content-sha256", HASH],
    ["X-Amz-Date", DATE],
    ...(isUpload ? common.upload(body) : []),
    ...(common.isExpectOwn ? expect : []),
    ...(call.lines ?? []),
  ];
  const lines: HeaderField[] = [
    ["Host", host],
    ...sortedLines(own),
    ...(hasBody ? ([["Content-Length", String(size)]] as const) : common.bodiless(method)),
    ["Connection", "Keep-Alive"],
    ...(common.isExpectOwn ? [] : expect),
  ];
  const unsigned = hasBody ? common.unsigned : [...common.unsigned, "content-length"];
  const choice = { unsigned, chunked: isUpload };
  const draft = { method, target, lines, body };
  return signV4(user, draft, trailers === undefined ? choice : { ...choice, trailers });
}

function withType(call: JavaCall, fallback: string): JavaCall {
  const lines = call.lines ?? [];
  if (lines.some(([name]) => name === "Content-Type")) return call;
  return { ...call, lines: [...lines, ["Content-Type", fallback]] };
}

export function javaSdk1(user: User, host: string, call: JavaCall): Signed {
  return request(user, host, withType(call, "application/octet-stream"), {
    agent: AGENT_1,
    attempt: [
      ["amz-sdk-request", "attempt=1;max=4"],
      ["amz-sdk-retry", "0/0/500"],
    ],
    bodiless: (method) => (method === "GET" || method === "PUT" ? [["Content-Length", "0"]] : []),
    isExpectOwn: false,
    unsigned: UNSIGNED,
    upload: (body) => [["x-amz-decoded-content-length", String(body.byteLength)]],
    trailers: () => undefined,
  });
}

export function javaSdk2(user: User, host: string, call: JavaCall): Signed {
  const typed = call.isUpload === true ? withType(call, "application/octet-stream") : call;
  return request(user, host, typed, {
    agent: AGENT_2,
    attempt: [["amz-sdk-request", "attempt=1; max=4"]],
    bodiless: (method) => (method === "PUT" || method === "POST" ? [["Content-Length", "0"]] : []),
    isExpectOwn: true,
    unsigned: [...UNSIGNED, "user-agent"],
    upload: (body) => [
      ["Content-Encoding", "aws-chunked"],
      ["x-amz-decoded-content-length", String(body.byteLength)],
      ["x-amz-sdk-checksum-algorithm", "CRC32"],
      ["x-amz-trailer", "x-amz-checksum-crc32"],
    ],
    trailers: (body) => [["x-amz-checksum-crc32", crc32Base64(body)]],
  });
}

function crc32Base64(body: Uint8Array): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return bytes.toString("base64");
}
