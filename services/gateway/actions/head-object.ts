// HeadObject: the headers of GetObject without its bytes, and without fetching any.
import type { Answer } from "../answer.ts";
import { readObject } from "../data/object-read.ts";
import { type ObjectContext, type ObjectOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";
import { getObject } from "./get-object.ts";

export const headObject: ObjectOperation = {
  name: "HeadObject",
  method: "HEAD",
  match: { level: "object" },
  permission: "s3:GetObject",
  versionPermission: "s3:GetObjectVersion",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: getObject.errors,
  page: "HeadObject",
  scope: "object",
  settlesAccess: true,
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  return readObject(
    context,
    (_found, range) => ({ kind: "stream", size: range.last - range.first + 1, source: NO_BYTES }),
    { withBody: false },
  );
}

/** Never pulled: an answer to HEAD has a length and no body. */
const NO_BYTES: AsyncIterable<Uint8Array> = {
  async *[Symbol.asyncIterator]() {
    yield* [];
  },
};
