// Secrets of access keys, sealed with the cluster key and bound to their user and id: what is
// stored in the directory opens nowhere else. Opened secrets are not kept here.
import { fromUtf8, utf8 } from "../base/bytes.ts";
import { StoreError } from "../base/errors.ts";
import type { Random } from "../ports/random.ts";
import { type ClusterKeys, openWithCluster, sealWithCluster } from "../seal/cluster-keys.ts";
import { accessKeyBinding } from "../seal/key-bindings.ts";

export class SecretBox {
  readonly #keys: ClusterKeys;
  readonly #random: Random;

  constructor(keys: ClusterKeys, random: Random) {
    this.#keys = keys;
    this.#random = random;
  }

  /** False: there is no cluster key, so no secret can be kept. */
  get isConfigured(): boolean {
    return this.#keys.current !== undefined;
  }

  /** As `AccessKey.sealed_secret`. Throws StoreError "denied" without a cluster key. */
  sealSecret(userName: string, accessKeyId: string, secret: string): Uint8Array {
    const binding = accessKeyBinding(userName, accessKeyId);
    return sealWithCluster(this.#keys, { binding, bytes: utf8(secret) }, this.#random);
  }

  /**
   * Throws StoreError: "denied" without a cluster key, or when none of those that are known sealed
   * it for this user and id; "corrupt".
   */
  openSecret(userName: string, accessKeyId: string, sealed: Uint8Array): string {
    const { bytes } = this.#open(userName, accessKeyId, sealed);
    const secret = fromUtf8(bytes);
    if (secret === undefined) throw new StoreError("corrupt", `the secret of ${accessKeyId}`);
    return secret;
  }

  /**
   * The secret under the current cluster key; undefined when it is under that already. Throws as
   * `openSecret`.
   */
  resealed(userName: string, accessKeyId: string, sealed: Uint8Array): Uint8Array | undefined {
    const { bytes, isCurrent } = this.#open(userName, accessKeyId, sealed);
    if (isCurrent) return undefined;
    const binding = accessKeyBinding(userName, accessKeyId);
    return sealWithCluster(this.#keys, { binding, bytes }, this.#random);
  }

  #open(userName: string, accessKeyId: string, sealed: Uint8Array) {
    const binding = accessKeyBinding(userName, accessKeyId);
    const opened = openWithCluster(this.#keys, { binding, sealed });
    if (opened !== undefined) return opened;
    throw new StoreError(
      "denied",
      `the secret of ${accessKeyId} was sealed with another cluster key than those configured`,
    );
  }
}
