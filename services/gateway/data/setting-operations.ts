// Rows of the operation table for settings that are a document put, got and deleted. Reading gives
// back what was kept, which is the checked document written anew, never the client's own text.
import { fromUtf8 } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import { XML_BYTES_MAX } from "../../lib/base/limits.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { S3Error, type S3ErrorCode } from "../../lib/s3/errors.ts";
import { type Answer, emptyAnswer, xmlAnswer } from "../answer.ts";
import { type BucketContext, type BucketOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";
import {
  changeBucket,
  type SettingName,
  settingChange,
  settingDocument,
} from "./bucket-settings.ts";

interface SettingRow {
  /** Name of the action and, where `page` says no other, of its page. */
  readonly name: string;
  /** The sub-resource. */
  readonly query: string;
  readonly permission: `s3:${string}`;
  readonly setting: SettingName;
  readonly page?: string;
}

export interface ReadingRow extends SettingRow {
  /** What a bucket without the setting answers: an error, or a document. */
  readonly missing: S3ErrorCode | (() => string);
}

/** A row that answers the document of a setting. */
export function readingOperation(row: ReadingRow): BucketOperation {
  const { missing } = row;
  const missingCode = typeof missing === "string" ? [missing] : [];
  return {
    ...commonFields(row),
    method: "GET",
    body: "none",
    bodyBytesMax: SMALL_BODY_BYTES_MAX,
    errors: ["NoSuchBucket", ...missingCode],
    run: async ({ bucket }) => {
      const kept = settingText(bucket, row.setting);
      if (kept !== undefined) return xmlAnswer(kept);
      if (typeof missing === "string") throw missingSetting(missing, bucket);
      return xmlAnswer(missing());
    },
  };
}

/** The error of a bucket that does not have a setting. */
export function missingSetting(code: S3ErrorCode, bucket: BucketRecord): S3Error {
  return new S3Error(code, undefined, { details: [["BucketName", bucket.name]] });
}

/** The document of a setting as text; undefined when the bucket has none. */
export function settingText(bucket: BucketRecord, name: SettingName): string | undefined {
  const document = settingDocument(bucket, name);
  if (document === undefined) return undefined;
  const text = fromUtf8(document);
  if (text === undefined) throw new StoreError("corrupt", `setting ${name} is no text`);
  return text;
}

export interface WritingRow extends SettingRow {
  readonly errors: readonly S3ErrorCode[];
  /** 200 unless told. */
  readonly status?: 200 | 204;
  readonly bodyBytesMax?: number;
  /** Checks the body; the document to keep, or undefined to take the setting away. */
  readonly read: (context: BucketContext) => Promise<string | undefined>;
  /** Looks at the record as it is when it is changed; throws to refuse. */
  readonly check?: (context: BucketContext, bucket: BucketRecord) => void;
  /** Runs when every index group knows of the change, before it is answered. */
  readonly after?: (context: BucketContext, bucket: BucketRecord) => Promise<void>;
}

/** A row that checks a document and keeps it. */
export function writingOperation(row: WritingRow): BucketOperation {
  return {
    ...commonFields(row),
    method: "PUT",
    body: "xml",
    bodyBytesMax: row.bodyBytesMax ?? XML_BYTES_MAX,
    errors: ["NoSuchBucket", "OperationAborted", ...row.errors],
    run: async (context) => {
      const document = await row.read(context);
      const changed = await changeBucket(context, (bucket) => {
        row.check?.(context, bucket);
        return settingChange(row.setting, document);
      });
      await row.after?.(context, changed);
      return emptyAnswer(row.status ?? 200);
    },
  };
}

/** A row that takes a setting away; what is not there is deleted all the same. */
export function deletingOperation(row: SettingRow): BucketOperation {
  return {
    ...commonFields(row),
    method: "DELETE",
    body: "none",
    bodyBytesMax: SMALL_BODY_BYTES_MAX,
    errors: ["NoSuchBucket", "OperationAborted"],
    run: async (context) => deleteSetting(context, row.setting),
  };
}

async function deleteSetting(context: BucketContext, name: SettingName): Promise<Answer> {
  if (settingDocument(context.bucket, name) !== undefined) {
    await changeBucket(context, () => settingChange(name, undefined));
  }
  return emptyAnswer(204);
}

function commonFields(
  row: SettingRow,
): Pick<BucketOperation, "name" | "match" | "permission" | "page" | "scope" | "fresh"> {
  const { name, query, permission, page = name } = row;
  const match = { level: "bucket", query: [query] } as const;
  return { name, match, permission, page, scope: "bucket", fresh: true };
}
