// What each kind of wrapped key is bound to. These lists are part of the stored format: a field
// that changes makes every key wrapped before unreadable.
import type { KeyBinding } from "./sealed-bytes.ts";

/** A version of a named key, sealed with the cluster key. */
export function namedKeyBinding(name: string, version: number): KeyBinding {
  return { purpose: "named key", fields: [name, version] };
}

export interface DataKeyPlace {
  readonly bucketId: number;
  readonly keyName: string;
  readonly keyVersion: number;
  /** The encryption context as the client wrote it; empty without one. */
  readonly context: string;
}

/**
 * The data key of an object, sealed with a named key. The object's key is no part of it, so that an
 * object may be renamed within its bucket.
 */
export function dataKeyBinding(place: DataKeyPlace): KeyBinding {
  const { bucketId, keyName, keyVersion, context } = place;
  return { purpose: "data key", fields: [bucketId, keyName, keyVersion, context] };
}

/** The data key of an object, sealed with a key that the client brings. */
export function clientKeyBinding(bucketId: number): KeyBinding {
  return { purpose: "client's data key", fields: [bucketId] };
}

/** The secret of an access key, sealed with the cluster key. */
export function accessKeyBinding(userName: string, accessKeyId: string): KeyBinding {
  return { purpose: "access key", fields: [userName, accessKeyId] };
}
