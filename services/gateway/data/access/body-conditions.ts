// Condition keys that are in the body of a request: tags that are put, a retention, a legal hold.
// A body that cannot be read fills none; the action refuses it afterwards.

import { utf8 } from "../../../lib/base/bytes.ts";
import { S3Error } from "../../../lib/s3/errors.ts";
import type { FormFields } from "../../../lib/s3/post-form/form-fields.ts";
import { parseLegalHold, parseRetention } from "../../../lib/s3/settings/object-lock.ts";
import { LIFTED_TAG_LIMITS, parseTagging } from "../../../lib/s3/settings/tagging.ts";
import type { S3Request } from "../../request.ts";
import { addRemainingDays, addRequestTags } from "./condition-context.ts";

type Keys = ReadonlyMap<string, readonly string[]>;

function keysOf(fill: (keys: Map<string, readonly string[]>) => void): Keys {
  const keys = new Map<string, readonly string[]>();
  try {
    fill(keys);
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
  }
  return keys;
}

/** Of PutObjectTagging. */
export function taggingConditions(document: Uint8Array): Keys {
  return keysOf((keys) => addRequestTags(keys, parseTagging(document, LIFTED_TAG_LIMITS)));
}

/** Of PutObjectRetention. */
export function retentionConditions(document: Uint8Array, { receivedMs }: S3Request): Keys {
  return keysOf((keys) => {
    const retention = parseRetention(document, receivedMs);
    if (retention === undefined) return;
    const until = new Date(retention.retainUntilMs).toISOString();
    keys.set("s3:object-lock-mode", [retention.mode]);
    keys.set("s3:object-lock-retain-until-date", [until]);
    addRemainingDays(keys, until, receivedMs);
  });
}

/** Of PutObjectLegalHold. */
export function legalHoldConditions(document: Uint8Array): Keys {
  return keysOf((keys) => {
    keys.set("s3:object-lock-legal-hold", [parseLegalHold(document) ? "ON" : "OFF"]);
  });
}

/** Of a form, whose tags come as a document in the field `tagging`. */
export function formConditions(fields: FormFields): Keys {
  const document = fields.get("tagging");
  return document === undefined ? new Map() : taggingConditions(utf8(document));
}
