// Versions as listings show them: without headers, body, keys and access control list.
import type { Version } from "../../../lib/gen/dolium/record/v1/object_pb.ts";

/** `withDetails`: with tags and lock. */
export function bareVersion(version: Version, withDetails = false): Version {
  const { headers: _headers, acl: _acl, encryption: _encryption, lock, ...rest } = version;
  const bare: Version = {
    ...rest,
    body: { case: undefined },
    bodyNonce: new Uint8Array(0),
    tags: withDetails ? version.tags : [],
  };
  return withDetails && lock !== undefined ? { ...bare, lock } : bare;
}
