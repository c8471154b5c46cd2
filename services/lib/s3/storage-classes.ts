// Storage classes whose objects can be read at once. Those that the settings give no placement
// policy are stored alike; the name is kept for the answer. Source: Amazon S3 API reference,
// x-amz-storage-class.
export const STANDARD_CLASS = "STANDARD";

const READ_AT_ONCE: ReadonlySet<string> = new Set([
  STANDARD_CLASS,
  "REDUCED_REDUNDANCY",
  "STANDARD_IA",
  "ONEZONE_IA",
  "INTELLIGENT_TIERING",
  "GLACIER_IR",
]);

/** `policies`: the settings' own classes, each with its placement policy. */
export function isKnownClass(name: string, policies: Readonly<Record<string, string>>): boolean {
  return READ_AT_ONCE.has(name) || Object.hasOwn(policies, name);
}
