// Checks tokens in the shape of Ceph's: of type `dolium` by the secrets and tokens of the
// directory, of types `ldap` and `ad` by a bind at the LDAP server. Failures count by address, and
// a password that was right is not asked about again for a minute.
import { createHmac } from "node:crypto";
import { toHex } from "../../lib/base/bytes.ts";
import { isStoreError } from "../../lib/base/errors.ts";
import type { DirectoryView } from "../../lib/clients/identity-directory.ts";
import type { SecretBox } from "../../lib/clients/secret-box.ts";
import type { AccessToken, UserRecord } from "../../lib/gen/dolium/record/v1/identity_pb.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Log } from "../../lib/ports/log.ts";
import type { Random } from "../../lib/ports/random.ts";
import type { PasswordCheck } from "../../lib/ports/web.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import type { FailureLimiter } from "./rate-limits.ts";
import type { RequestOrigin } from "./request-origin.ts";
import type { RgwToken } from "./rgw-token.ts";
import { sameSecret } from "./same-secret.ts";
import { isToken, tokenDigest } from "./tokens.ts";

const REMEMBERED_MS = 60_000;
const REMEMBERED_MAX = 10_000;
const KEY_BYTES = 32;

export interface RgwTokenDeps {
  readonly secrets: Pick<SecretBox, "openSecret">;
  /** Undefined: no LDAP server is configured. */
  readonly passwords: PasswordCheck | undefined;
  /** Appended to the names of LDAP users: `alice` becomes `alice_umich`; empty: nothing is. */
  readonly organisation: string;
  readonly failures: FailureLimiter;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface RgwTokenHolder {
  readonly user: UserRecord;
  /** The access token that was shown inside, whose scope bounds. */
  readonly token: AccessToken | undefined;
}

export class RgwTokenCheck {
  readonly #deps: RgwTokenDeps;
  readonly #rememberKey: Uint8Array;
  /** Digests of passwords that were right, until when they need no asking. */
  readonly #remembered = new Map<string, number>();

  constructor(deps: RgwTokenDeps) {
    this.#deps = deps;
    this.#rememberKey = deps.random.bytes(KEY_BYTES);
  }

  /**
   * Whom it proves, or undefined. Throws S3Error: SlowDown for an address that failed too often,
   * ServiceUnavailable when the LDAP server does not answer.
   */
  async userOf(
    token: RgwToken,
    view: DirectoryView,
    { remoteAddress }: RequestOrigin,
  ): Promise<RgwTokenHolder | undefined> {
    const { failures } = this.#deps;
    if (failures.waitMs(remoteAddress) > 0) throw new S3Error("SlowDown");
    const holder =
      token.type === "dolium"
        ? this.#byDirectory(token, view)
        : await this.#byPassword(token, view);
    if (holder === undefined) failures.failed(remoteAddress);
    return holder;
  }

  #byDirectory({ id, key }: RgwToken, view: DirectoryView): RgwTokenHolder | undefined {
    const user = view.user(id);
    if (user === undefined) return undefined;
    if (isToken(key)) {
      const found = view.byToken(tokenDigest(key));
      if (found?.user !== user || !this.#counts(found.token)) return undefined;
      return { user, token: found.token };
    }
    const { secrets } = this.#deps;
    const isOwn = user.keys.some(
      (one) =>
        this.#counts(one) &&
        sameSecret(key, secrets.openSecret(user.name, one.accessKeyId, one.sealedSecret)),
    );
    return isOwn ? { user, token: undefined } : undefined;
  }

  #counts({ disabled, expiresMs }: { disabled: boolean; expiresMs: bigint }): boolean {
    const nowMs = BigInt(Math.trunc(this.#deps.clock.wallMs()));
    return !disabled && (expiresMs === 0n || expiresMs > nowMs);
  }

  async #byPassword(token: RgwToken, view: DirectoryView): Promise<RgwTokenHolder | undefined> {
    const { passwords, organisation } = this.#deps;
    const suffix = organisation === "" ? "" : `_${organisation}`;
    const user = view.user(`${token.id.toLowerCase()}${suffix}`);
    if (passwords === undefined || user === undefined) return undefined;
    const digest = this.#digest(token);
    const nowMs = this.#deps.clock.monotonicMs();
    if ((this.#remembered.get(digest) ?? 0) > nowMs) return { user, token: undefined };
    if (!(await this.#isRight(passwords, token))) return undefined;
    if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear();
    this.#remembered.set(digest, nowMs + REMEMBERED_MS);
    return { user, token: undefined };
  }

  async #isRight(passwords: PasswordCheck, { id, key }: RgwToken): Promise<boolean> {
    try {
      return await passwords.check(id, key);
    } catch (error) {
      if (isStoreError(error, "invalid")) return false;
      this.#deps.log.error("the LDAP server cannot be asked", error);
      throw new S3Error("ServiceUnavailable", undefined, { cause: error });
    }
  }

  #digest({ type, id, key }: RgwToken): string {
    const text = JSON.stringify([type, id, key]);
    return toHex(createHmac("sha256", this.#rememberKey).update(text).digest());
  }
}
