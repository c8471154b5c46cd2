// Metrics of the S3 port. Labels come from the operation table and the error table only, so their
// number is bounded whatever clients send.
import type { Metrics } from "../../lib/ports/metrics.ts";

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const SIZES = [0, 1024, 16_384, 131_072, 1_048_576, 16_777_216, 134_217_728, 1_073_741_824];

export interface RequestRecord {
  readonly operation: string;
  readonly status: number;
  readonly errorCode: string | undefined;
  readonly seconds: number;
  readonly firstByteSeconds: number | undefined;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly isDisconnected: boolean;
}

/** Refusals that mean the caller could not prove who it is. */
const AUTH_CODES: ReadonlySet<string> = new Set([
  "AccessDenied",
  "AuthorizationHeaderMalformed",
  "AuthorizationQueryParametersError",
  "InvalidAccessKeyId",
  "RequestTimeTooSkewed",
  "SignatureDoesNotMatch",
]);

export class RequestMetrics {
  readonly #requests;
  readonly #errors;
  readonly #authFailures;
  readonly #throttled;
  readonly #disconnects;
  readonly #received;
  readonly #sent;
  readonly #inFlight;
  readonly #duration;
  readonly #firstByte;
  readonly #objectSize;
  #running = 0;

  constructor(metrics: Metrics) {
    const byOperation = ["operation"];
    this.#requests = metrics.counter("s3_requests_total", {
      help: "Requests answered, by action and HTTP status.",
      labels: ["operation", "code"],
    });
    this.#errors = metrics.counter("s3_errors_total", {
      help: "Requests answered with an error, by action and S3 error code.",
      labels: ["operation", "error_code"],
    });
    this.#authFailures = metrics.counter("s3_auth_failures_total", {
      help: "Requests refused because of who asked.",
      labels: ["reason"],
    });
    this.#throttled = metrics.counter("s3_throttled_total", {
      help: "Requests answered SlowDown.",
      labels: ["reason"],
    });
    this.#disconnects = metrics.counter("s3_client_disconnects_total", {
      help: "Requests whose client left before the answer was out.",
    });
    this.#received = metrics.counter("s3_received_bytes_total", {
      help: "Bytes of request bodies.",
    });
    this.#sent = metrics.counter("s3_sent_bytes_total", { help: "Bytes of response bodies." });
    this.#inFlight = metrics.gauge("s3_requests_in_flight", { help: "Requests being served." });
    this.#duration = metrics.histogram("s3_request_duration_seconds", {
      help: "From the header section to the last byte of the answer.",
      labels: byOperation,
      buckets: SECONDS,
    });
    this.#firstByte = metrics.histogram("s3_time_to_first_byte_seconds", {
      help: "From the header section to the first byte of the answer.",
      labels: byOperation,
      buckets: SECONDS,
    });
    this.#objectSize = metrics.histogram("s3_object_size_bytes", {
      help: "Body bytes of requests that carry or fetch an object.",
      labels: byOperation,
      buckets: SIZES,
    });
  }

  get running(): number {
    return this.#running;
  }

  begin(): void {
    this.#running += 1;
    this.#inFlight.set(this.#running);
  }

  throttle(reason: string): void {
    this.#throttled.increment({ reason });
  }

  end(record: RequestRecord): void {
    const { operation } = record;
    this.#running -= 1;
    this.#inFlight.set(this.#running);
    this.#requests.increment({ operation, code: String(record.status) });
    this.#duration.observe(record.seconds, { operation });
    if (record.firstByteSeconds !== undefined) {
      this.#firstByte.observe(record.firstByteSeconds, { operation });
    }
    if (record.receivedBytes > 0) this.#received.increment({}, record.receivedBytes);
    if (record.sentBytes > 0) this.#sent.increment({}, record.sentBytes);
    if (record.isDisconnected) this.#disconnects.increment();
    const { errorCode } = record;
    if (errorCode === undefined) {
      this.#observeSize(record);
      return;
    }
    this.#errors.increment({ operation, error_code: errorCode });
    if (AUTH_CODES.has(errorCode)) this.#authFailures.increment({ reason: errorCode });
    if (errorCode === "SlowDown") this.throttle("exhausted");
  }

  #observeSize({ operation, receivedBytes, sentBytes }: RequestRecord): void {
    if (operation === "GetObject") this.#objectSize.observe(sentBytes, { operation });
    if (operation === "PutObject" || operation === "UploadPart") {
      this.#objectSize.observe(receivedBytes, { operation });
    }
  }
}
