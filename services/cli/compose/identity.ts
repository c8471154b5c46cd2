// Wires who users are: the directory and its editor, credentials, identity providers, LDAP, the key
// store, limits of failed proofs. One of it serves the S3 port and the admin API of a process.
import { readFileSync } from "node:fs";
import { DirectoryCredentials, type RootKeys } from "../../gateway/identity/credentials.ts";
import { DirectoryIdentities } from "../../gateway/identity/identities.ts";
import { OidcProviders } from "../../gateway/identity/oidc.ts";
import { Principals } from "../../gateway/identity/principal.ts";
import { FailureLimiter } from "../../gateway/identity/rate-limits.ts";
import { RgwTokenCheck } from "../../gateway/identity/rgw-token-check.ts";
import type { IdentitySettings } from "../../gateway/identity/settings.ts";
import { IdentityDirectory } from "../../lib/clients/identity-directory.ts";
import { IdentityEditor } from "../../lib/clients/identity-editor.ts";
import { SecretBox } from "../../lib/clients/secret-box.ts";
import { UseRecorder } from "../../lib/clients/use-recorder.ts";
import { createLdapCheck } from "../../lib/host/ldap-check.ts";
import { createWebClient } from "../../lib/host/web-client.ts";
import type { Metrics } from "../../lib/ports/metrics.ts";
import type { ClusterKeys } from "../../lib/seal/cluster-keys.ts";
import { UsageError } from "../command-line.ts";
import type { ClientPorts, Clients } from "./clients.ts";
import { composeKeystore } from "./keystore.ts";

export interface IdentityParts {
  readonly ports: ClientPorts & { readonly metrics: Metrics };
  readonly clients: Pick<Clients, "metadata">;
  readonly root: RootKeys;
  readonly keys: ClusterKeys;
  readonly settings: IdentitySettings;
}

export interface IdentityServices {
  readonly directory: IdentityDirectory;
  readonly editor: IdentityEditor;
  readonly secrets: SecretBox;
  readonly keys: ClusterKeys;
  readonly principals: Principals;
  readonly credentials: DirectoryCredentials;
  readonly identities: DirectoryIdentities;
  readonly oidc: OidcProviders;
  /** Of sign-ins, by address. */
  readonly failures: FailureLimiter;
  readonly uses: UseRecorder;
  /** Ends following the directory, and writes down last uses. */
  stop(): Promise<void>;
}

/** Begins to follow the directory. Throws UsageError for files that cannot be read, StoreError. */
export function composeIdentity(parts: IdentityParts): IdentityServices {
  const { ports, root, keys, settings } = parts;
  const { clock, random, log, metrics } = ports;
  const { metadata } = parts.clients;
  if (settings.simple) {
    log.warn("NO SECRETS ARE CHECKED (identity.simple): an access key is the name of a user");
  }
  const directory = new IdentityDirectory({ metadata, clock, log });
  const editor = new IdentityEditor({ metadata, directory });
  const secrets = new SecretBox(keys, random);
  const principals = new Principals();
  const failures = new FailureLimiter(clock, metrics);
  const uses = new UseRecorder({ metadata, clock, log });
  const { ldap } = settings;
  const passwords = ldap.url === "" ? undefined : createLdapCheck(ldap);
  const { organisation } = ldap;
  const rgwTokens = new RgwTokenCheck({
    ...{ secrets, passwords, organisation, failures },
    ...{ clock, random, log },
  });
  const keystore = composeKeystore({ clock, log, metrics }, settings.keystore);
  const credentials = new DirectoryCredentials(
    { root, directory, secrets, keys, principals, rgwTokens, keystore },
    settings,
  );
  const web = createWebClient(caOf(settings.oidcCaFile));
  const provisioning = { directory, editor, clock, log };
  const oidc = new OidcProviders(settings.oidc, { web, clock, keys, random, provisioning });
  directory.start();
  uses.start();
  return {
    ...{ directory, editor, secrets, keys, principals, credentials, oidc, failures, uses },
    identities: new DirectoryIdentities(credentials, clock),
    stop: async () => {
      directory.stop();
      await uses.stop();
    },
  };
}

function caOf(path: string): { readonly ca?: string } {
  if (path === "") return {};
  try {
    return { ca: readFileSync(path, "utf8") };
  } catch (error) {
    throw new UsageError(`identity.oidcCaFile: ${path} cannot be read`, { cause: error });
  }
}
