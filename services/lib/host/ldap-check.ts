// The password check port over LDAP: a simple bind as the user's own distinguished name. A name is
// put into the template only if none of its characters means anything there, and an empty password
// is refused before it is sent, because servers answer it with success (RFC 4513 section 5.1.2).
import { readFileSync } from "node:fs";
import { Client, InvalidCredentialsError } from "ldapts";
import { StoreError } from "../base/errors.ts";
import type { PasswordCheck } from "../ports/web.ts";

const USER = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$/;
const PLACEHOLDER = "{user}";

export interface LdapOptions {
  /** `ldaps://host:636`, or `ldap://` with `startTls`, or in the open where the operator wants. */
  readonly url: string;
  /** `uid={user},ou=people,dc=example,dc=org`, or `{user}@example.org` for Active Directory. */
  readonly userDn: string;
  readonly startTls: boolean;
  /** PEM of the authorities to trust instead of the system's; empty: the system's. */
  readonly caFile: string;
  readonly timeoutMs: number;
}

/** Throws StoreError "invalid" for a template without `{user}` or a URL of another kind. */
export function createLdapCheck(options: LdapOptions): PasswordCheck {
  if (!options.userDn.includes(PLACEHOLDER)) {
    throw new StoreError("invalid", `identity.ldap.userDn must hold ${PLACEHOLDER}`);
  }
  if (!/^ldaps?:\/\//.test(options.url)) {
    throw new StoreError("invalid", "identity.ldap.url must begin with ldap:// or ldaps://");
  }
  const tlsOptions = options.caFile === "" ? {} : { ca: [readFileSync(options.caFile)] };
  return {
    check: async (userName, password) => {
      if (!USER.test(userName)) throw new StoreError("invalid", "not a user name of a directory");
      if (password === "") return false;
      const { url, timeoutMs, startTls } = options;
      const isTls = url.startsWith("ldaps:");
      const client = new Client({
        url,
        timeout: timeoutMs,
        connectTimeout: timeoutMs,
        ...(isTls ? { tlsOptions } : {}),
      });
      try {
        if (startTls && !isTls) await client.startTLS(tlsOptions);
        await client.bind(
          options.userDn.replaceAll(PLACEHOLDER, () => userName),
          password,
        );
        return true;
      } catch (error) {
        if (error instanceof InvalidCredentialsError) return false;
        throw new StoreError("unavailable", "the LDAP server did not answer", { cause: error });
      } finally {
        await client.unbind().catch(() => undefined);
      }
    },
  };
}
