// Wires the admin side of a gateway: what it manages users by, what it asks of the cluster.
import type { AdminOptions } from "../../gateway/admin/admin.ts";
import type { AdminSettings } from "../../gateway/admin/config.ts";
import type { ProvisioningSettings } from "../../gateway/admin/provisioning/config.ts";
import { UserUsage } from "../../lib/clients/user-usage.ts";
import { verifyVersion } from "../../lib/clients/verify/version-verifier.ts";
import { VERSION } from "../version.ts";
import type { ClientPorts, Clients } from "./clients.ts";
import { consoleFiles } from "./console-files.ts";
import type { IdentityServices } from "./identity.ts";
import type { Instruments } from "./instruments.ts";
import { readSmallFile } from "./small-file.ts";

export interface AdminComposition {
  readonly ports: ClientPorts & Partial<Pick<Instruments, "certificates">>;
  readonly clients: Clients;
  readonly settings: AdminSettings;
  readonly provisioning: ProvisioningSettings;
  readonly identity: IdentityServices;
  /** Access tokens count. */
  readonly tokensEnabled: boolean;
}

export function adminOptions(parts: AdminComposition): AdminOptions {
  const { ports, clients, settings, identity, tokensEnabled } = parts;
  const { metadata, view, replicas } = clients;
  const usage = new UserUsage({ metadata, clock: ports.clock });
  const { secrets } = identity;
  return {
    settings,
    provisioning: { settings: parts.provisioning, readText: readSmallFile },
    version: VERSION,
    directory: identity.directory,
    edits: identity.editor,
    identities: identity.identities,
    providers: identity.oidc,
    failures: identity.failures,
    sealingKeys: identity.keys,
    sealSecret: (user, accessKeyId, secret) => secrets.sealSecret(user, accessKeyId, secret),
    usageOf: async (user) => {
      const { bytes, objects, buckets } = await usage.of(user);
      return { bytes: Number(bytes), objects: Number(objects), buckets };
    },
    tokensEnabled,
    metadata,
    replicas,
    transport: ports.transport,
    verify: (target, options) => {
      const { shards, erasure } = clients;
      const deps = { ...ports, metadata, view, shards, erasure, onDamage: () => undefined };
      return verifyVersion(deps, target, options);
    },
    certificates: () => ports.certificates?.all() ?? [],
    files: consoleFiles(),
    nodes: () => view.map().nodes,
  };
}
