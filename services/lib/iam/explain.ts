// One English sentence on why a request was allowed or refused, for `policy check`, the console and
// the log. It names policies and rules, never a secret.
import type { DecidedBy, Decision } from "./model.ts";

export function explainDecision({ allowed, by }: Decision): string {
  return `${allowed ? "Allowed" : "Denied"}: ${reasonOf(by)}.`;
}

function reasonOf(by: DecidedBy): string {
  switch (by.rule) {
    case "explicit-deny":
      return `${placeOf(by)} denies it, and nothing that allows outweighs that`;
    case "policy-allow":
      return `${placeOf(by)} allows it`;
    case "outside-bound":
      return `${by.source} does not allow it, and nobody it bounds may do more than it allows`;
    case "restricted-public-bucket":
      return "the policy of the bucket is public, and the public access block keeps others out";
    case "administrator":
      return "administrators may do everything";
    case "bucket-owner":
      return "the bucket belongs to the caller";
    case "object-owner":
      return "the object belongs to the caller";
    case "upload-initiator":
      return "the caller began the multipart upload";
    case "not-initiator":
      return "grants let nobody write into a multipart upload that somebody else began";
    case "acl-grant":
      return `the access control list of the ${by.source} grants ${by.permission}`;
    case "own-affairs":
      return "every user may do that for himself";
    case "unknown-action":
      return "there is no such action";
    case "no-rule-allows":
      return "no policy, grant or ownership allows it, and nothing is open by default";
  }
}

type Place = Pick<
  Extract<DecidedBy, { source: string; statement: number }>,
  "source" | "statement" | "sid"
>;

/** Statements are counted from 1 here, for people. */
function placeOf({ source, statement, sid }: Place): string {
  const name = sid === undefined ? "" : ` (${JSON.stringify(sid.slice(0, 100))})`;
  return `statement ${statement + 1}${name} of ${source}`;
}
