// ListBuckets: the buckets of the caller, in order of name, in pages if the client asks for them.
import { toSafeNumber, utf8 } from "../../lib/base/bytes.ts";
import { ROOT_GROUP } from "../../lib/clients/groups.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { listBucketsDocument } from "../../lib/s3/list-documents.ts";
import {
  encodeContinuationToken,
  type ListBucketsQuery,
  parseListBuckets,
} from "../../lib/s3/list-query.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { keyText } from "../data/listing.ts";
import {
  callOptions,
  type ServiceOperation,
  SMALL_BODY_BYTES_MAX,
  type UserContext,
} from "../operation.ts";

/** AWS gives a user at most so many buckets, and answers them all when no page is asked for. */
const BUCKETS_MAX = 10_000;
const BUCKETS_PER_QUERY = 1000;

export const listBuckets: ServiceOperation = {
  name: "ListBuckets",
  method: "GET",
  match: { level: "service" },
  permission: "s3:ListAllMyBuckets",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["InvalidArgument"],
  page: "ListBuckets",
  scope: "service",
  run,
};

async function run(context: UserContext): Promise<Answer> {
  const query = parseListBuckets(context.request.target.query);
  const { buckets, next } = await collectBuckets(context, query);
  const { maxBuckets, bucketRegion, prefix, continueAfter } = query;
  const isPaged = [maxBuckets, bucketRegion, prefix, continueAfter].some(
    (given) => given !== undefined,
  );
  const { userId, displayName } = context.identity;
  const document = listBucketsDocument({
    owner: { id: userId, displayName },
    buckets: buckets.map((bucket) => ({
      name: bucket.name,
      createdMs: toSafeNumber(bucket.createdMs),
      region: isPaged ? bucket.region : undefined,
    })),
    prefix,
    continuationToken: next === undefined ? undefined : encodeContinuationToken(utf8(next)),
  });
  return xmlAnswer(document);
}

/** What is shown of a bucket; its settings are not kept while the page is made. */
type ListedRecord = Pick<BucketRecord, "name" | "createdMs" | "region">;

interface Page {
  readonly buckets: readonly ListedRecord[];
  /** Name to go on after; undefined at the end. */
  readonly next: string | undefined;
}

async function collectBuckets(context: UserContext, query: ListBucketsQuery): Promise<Page> {
  const { metadata } = context.gateway.dependencies;
  const limit = query.maxBuckets ?? BUCKETS_MAX;
  const buckets: ListedRecord[] = [];
  let afterName = query.continueAfter === undefined ? "" : keyText(query.continueAfter);
  for (;;) {
    const answer = await metadata.query<"listBuckets">(
      ROOT_GROUP,
      {
        case: "listBuckets",
        value: {
          owner: context.identity.userId,
          afterName,
          prefix: query.prefix ?? "",
          limit: BUCKETS_PER_QUERY,
        },
      },
      callOptions(context),
    );
    for (const { name, createdMs, region } of answer.buckets) {
      if (buckets.length === limit) return { buckets, next: afterName };
      afterName = name;
      if (region === (query.bucketRegion ?? region)) buckets.push({ name, createdMs, region });
    }
    if (!answer.truncated) return { buckets, next: undefined };
  }
}
