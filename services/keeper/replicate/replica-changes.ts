// Changes made beside a version after its first copy, carried to the replica: tags, access control
// list, retention and legal hold, each as the version has it now, so that repeats and late arrivals
// end in the same. Source: Amazon S3 user guide, "What does Amazon S3 replicate?", "Replicating
// metadata changes".
import { toSafeNumber, utf8 } from "../../lib/base/bytes.ts";
import type { HeaderField } from "../../lib/s3/headers.ts";
import {
  legalHoldDocument,
  type Retention,
  retentionDocument,
} from "../../lib/s3/settings/object-lock.ts";
import { callOf, type ReplicaCopy } from "./replica-copy.ts";
import { tagsDocument } from "./replica-documents.ts";
import { grantHeaders, modeName } from "./replica-headers.ts";
import { documentBody, type S3Body } from "./s3-endpoint.ts";

const CHANGE = /^Object(Tagging|Acl|Retention|LegalHold):/;

export type ReplicaChange = "Tagging" | "Acl" | "Retention" | "LegalHold";

/** What an event of this name changed beside its version; undefined: it wrote a version. */
export function changeOf(eventName: string): ReplicaChange | undefined {
  switch (CHANGE.exec(eventName)?.[1]) {
    case "Tagging":
      return "Tagging";
    case "Acl":
      return "Acl";
    case "Retention":
      return "Retention";
    case "LegalHold":
      return "LegalHold";
    default:
      return undefined;
  }
}

interface Carried {
  readonly method: "PUT" | "DELETE";
  readonly query: string;
  readonly headers?: readonly HeaderField[];
  readonly body?: S3Body;
}

/** Makes the replica like its version; `nowMs`: wall clock. Throws StoreError. */
export async function copyChange(
  copy: ReplicaCopy,
  change: ReplicaChange,
  { replicaId, nowMs }: { readonly replicaId: string; readonly nowMs: number },
): Promise<void> {
  const carried = carriedBy(copy, change, nowMs);
  if (carried === undefined) return;
  const { method, query: name, headers = [], body } = carried;
  const query: HeaderField[] = [
    [name, ""],
    ["versionId", replicaId],
  ];
  await copy.there.call(
    callOf(copy, { method, query, headers, ...(body === undefined ? {} : { body }) }),
  );
}

/** Undefined: there is nothing to carry. */
function carriedBy(copy: ReplicaCopy, change: ReplicaChange, nowMs: number): Carried | undefined {
  const { tags, lock } = copy.source.version;
  switch (change) {
    case "Tagging": {
      if (tags.length === 0) return { method: "DELETE", query: "tagging" };
      return { method: "PUT", query: "tagging", body: document(tagsDocument(tags)) };
    }
    case "Acl": {
      if (copy.grants === undefined) return undefined;
      const headers = grantHeaders(copy.grants);
      const none: HeaderField = ["x-amz-acl", "private"];
      return { method: "PUT", query: "acl", headers: headers.length > 0 ? headers : [none] };
    }
    case "Retention": {
      const retention = retentionOf(copy);
      // One that has ended protects nothing here, and could not be set there.
      if (retention !== undefined && retention.retainUntilMs <= nowMs) return undefined;
      const text = retention === undefined ? NO_RETENTION : retentionDocument(retention);
      const headers = [BYPASS];
      return { method: "PUT", query: "retention", headers, body: document(text) };
    }
    case "LegalHold": {
      const text = legalHoldDocument(lock?.legalHold === true);
      return { method: "PUT", query: "legal-hold", body: document(text) };
    }
  }
}

/** Who changed it here was allowed to, past a retention under governance too. */
const BYPASS: HeaderField = ["x-amz-bypass-governance-retention", "true"];
const NO_RETENTION = "<Retention/>";

function retentionOf({ source }: ReplicaCopy): Retention | undefined {
  const { lock } = source.version;
  const mode = lock === undefined ? undefined : modeName(lock.mode);
  if (lock === undefined || mode === undefined) return undefined;
  return { mode, retainUntilMs: toSafeNumber(lock.retainUntilMs) };
}

function document(text: string): S3Body {
  return documentBody(utf8(text));
}
