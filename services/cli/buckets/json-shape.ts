// Checks settings that people wrote as JSON against the names and types that S3 knows, before they
// are sent: the SDK passes over names it does not know, and a rule with a misspelt word would then
// do something else than its author meant. Formats are those of the AWS command line.
import { UsageError } from "../command-line.ts";
import { shown } from "../objects/shown-text.ts";

export type Shape =
  | "text"
  | "number"
  | "flag"
  /** A date as text; comes out as a Date, which is what the SDK wants. */
  | "date"
  | { readonly list: Shape }
  | { readonly fields: Readonly<Record<string, Shape>> };

/** The value as the SDK takes it. Throws UsageError that names the place, such as `Rules[0].ID`. */
export function shaped(value: unknown, shape: Shape, path: string): unknown {
  if (shape === "date") return dateOf(value, path);
  if (shape === "text") return primitive<string>(value, "string", path);
  if (shape === "number") return primitive<number>(value, "number", path);
  if (shape === "flag") return primitive<boolean>(value, "boolean", path);
  if ("list" in shape) {
    if (!Array.isArray(value)) throw wrong(path, "a list");
    return value.map((item: unknown, at) => shaped(item, shape.list, `${path}[${at}]`));
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw wrong(path, "an object");
  }
  const { fields } = shape;
  const entries = Object.entries(value).map(([name, inner]: [string, unknown]) => {
    const expected = Object.hasOwn(fields, name) ? fields[name] : undefined;
    const place = path === "" ? name : `${path}.${name}`;
    if (expected === undefined) {
      const known = Object.keys(fields).join(", ");
      throw new UsageError(`${shown(place)} is no name that S3 knows here; known are ${known}`);
    }
    return [name, shaped(inner, expected, place)] as const;
  });
  return Object.fromEntries(entries);
}

function primitive<T>(value: unknown, type: "string" | "number" | "boolean", path: string): T {
  if (typeof value !== type) throw wrong(path, type === "string" ? "a text" : `a ${type}`);
  // Checked by the line above.
  return value as T;
}

function dateOf(value: unknown, path: string): Date {
  const time = typeof value === "string" ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(time)) throw wrong(path, "a date such as 2026-01-31T00:00:00Z");
  return new Date(time);
}

function wrong(path: string, wanted: string): UsageError {
  return new UsageError(`${path === "" ? "the settings" : shown(path)} must be ${wanted}`);
}

const TAG: Shape = { fields: { Key: "text", Value: "text" } };
const SIZES = { ObjectSizeGreaterThan: "number", ObjectSizeLessThan: "number" } as const;
const AND: Shape = { fields: { Prefix: "text", Tags: { list: TAG }, ...SIZES } };
const TRANSITION: Shape = { fields: { Date: "date", Days: "number", StorageClass: "text" } };
const NONCURRENT = { NoncurrentDays: "number", NewerNoncurrentVersions: "number" } as const;

/** PutBucketLifecycleConfiguration. */
export const LIFECYCLE_SHAPE: Shape = {
  fields: {
    TransitionDefaultMinimumObjectSize: "text",
    Rules: {
      list: {
        fields: {
          ID: "text",
          Status: "text",
          Prefix: "text",
          Filter: { fields: { Prefix: "text", Tag: TAG, And: AND, ...SIZES } },
          Expiration: {
            fields: { Date: "date", Days: "number", ExpiredObjectDeleteMarker: "flag" },
          },
          Transitions: { list: TRANSITION },
          NoncurrentVersionTransitions: {
            list: { fields: { ...NONCURRENT, StorageClass: "text" } },
          },
          NoncurrentVersionExpiration: { fields: NONCURRENT },
          AbortIncompleteMultipartUpload: { fields: { DaysAfterInitiation: "number" } },
        },
      },
    },
  },
};

/** PutBucketWebsite. */
export const WEBSITE_SHAPE: Shape = {
  fields: {
    IndexDocument: { fields: { Suffix: "text" } },
    ErrorDocument: { fields: { Key: "text" } },
    RedirectAllRequestsTo: { fields: { HostName: "text", Protocol: "text" } },
    RoutingRules: {
      list: {
        fields: {
          Condition: { fields: { HttpErrorCodeReturnedEquals: "text", KeyPrefixEquals: "text" } },
          Redirect: {
            fields: {
              HostName: "text",
              HttpRedirectCode: "text",
              Protocol: "text",
              ReplaceKeyPrefixWith: "text",
              ReplaceKeyWith: "text",
            },
          },
        },
      },
    },
  },
};
