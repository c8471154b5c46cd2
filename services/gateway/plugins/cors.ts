// Cross-origin resource sharing: answers preflights, which browsers send without credentials, and
// adds its headers to every other answer, errors included, so that a page can read why it was
// refused. What it tells a stranger is whether a bucket of that name exists, as on AWS.
import { isStoreError } from "../../lib/base/errors.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Log } from "../../lib/ports/log.ts";
import { checkBucketName } from "../../lib/s3/bucket-name.ts";
import { isS3Error } from "../../lib/s3/errors.ts";
import type { HeaderField } from "../../lib/s3/headers.ts";
import {
  answerPreflight,
  type CorsRule,
  corsResponseHeaders,
  parseCors,
  parsePreflight,
} from "../../lib/s3/settings/cors.ts";
import { type Answer, emptyAnswer } from "../answer.ts";
import { noSuchBucket } from "../data/bucket-access.ts";
import type { SettingKind } from "../data/bucket-settings.ts";
import type { Gateway } from "../operation.ts";
import type { S3Request } from "../request.ts";
import { consoleCorsRule } from "./console-cors.ts";

const CORS: SettingKind<readonly CorsRule[]> = { name: "cors", parse: parseCors };

export interface CorsCall {
  readonly request: S3Request;
  readonly signal: AbortSignal;
}

export class Cors {
  readonly #gateway: Pick<Gateway, "bucketSettings" | "dependencies">;

  readonly #adminPort: () => number | undefined;

  /** `adminPort`: where this gateway serves its console besides the S3 port. */
  constructor(
    gateway: Pick<Gateway, "bucketSettings" | "dependencies">,
    adminPort: () => number | undefined = () => undefined,
  ) {
    this.#gateway = gateway;
    this.#adminPort = adminPort;
  }

  /**
   * Answers an OPTIONS request. Throws BadRequest, AccessForbidden, NoSuchBucket,
   * InvalidBucketName.
   */
  async preflight(call: CorsCall): Promise<Answer> {
    const { headers, address } = call.request;
    const asked = parsePreflight({
      origin: headers.get("origin"),
      requestMethod: headers.get("access-control-request-method"),
      requestHeaders: headers.get("access-control-request-headers"),
    });
    const consoleRule = consoleCorsRule(call.request, this.#adminPort());
    const bucket = consoleRule === undefined ? await this.#bucketOf(call) : undefined;
    const rules = consoleRule ? [consoleRule] : bucket && this.#rulesOf(bucket);
    const resourceType = address.key === undefined ? "BUCKET" : "OBJECT";
    return emptyAnswer(200, answerPreflight(rules, asked, resourceType));
  }

  /** Headers for the answer to an actual request; none where there is nothing to say. */
  async headersOf(call: CorsCall, log: Log): Promise<readonly HeaderField[]> {
    const { headers, method } = call.request;
    const origin = headers.get("origin");
    if (origin === undefined) return [];
    const consoleRule = consoleCorsRule(call.request, this.#adminPort());
    if (consoleRule !== undefined) return corsResponseHeaders([consoleRule], origin, method);
    try {
      const bucket = await this.#bucketOf(call);
      const rules = bucket === undefined ? undefined : this.#rulesOf(bucket);
      return rules === undefined ? [] : corsResponseHeaders(rules, origin, method);
    } catch (error) {
      // The answer itself stands; a page of another origin just may not read it.
      const isMissing = isS3Error(error, "NoSuchBucket") || isS3Error(error, "InvalidBucketName");
      if (!isMissing && !isStoreError(error, "aborted")) {
        log.warn("no CORS headers, for the bucket cannot be asked", { error });
      }
      return [];
    }
  }

  #rulesOf(bucket: BucketRecord): readonly CorsRule[] | undefined {
    return this.#gateway.bucketSettings.read(bucket, CORS);
  }

  async #bucketOf({ request, signal }: CorsCall): Promise<BucketRecord | undefined> {
    const name = request.address.bucket;
    if (name === undefined) return undefined;
    checkBucketName(name);
    const options = { signal, requestId: request.requestId };
    const bucket = await this.#gateway.dependencies.buckets.get(name, options);
    if (bucket === undefined) throw noSuchBucket(name);
    return bucket;
  }
}
