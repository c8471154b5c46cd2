// Wires one gateway: clients, root credentials, the S3 server, heartbeats.
import type { AdminSettings } from "../../gateway/admin/config.ts";
import type { ProvisioningSettings } from "../../gateway/admin/provisioning/config.ts";
import type { FirstBucket } from "../../gateway/admin/provisioning/first-buckets.ts";
import type { AuditSettings } from "../../gateway/audit/audit-settings.ts";
import type { S3Settings } from "../../gateway/config.ts";
import type { IdentitySettings } from "../../gateway/identity/settings.ts";
import { BucketMetrics } from "../../gateway/plugins/bucket-metrics.ts";
import { type RunningGateway, startGateway } from "../../gateway/server.ts";
import { isStoreError } from "../../lib/base/errors.ts";
import { CampusEndpoints } from "../../lib/clients/campus-endpoints.ts";
import { linkDetails } from "../../lib/clients/gateway-links.ts";
import { Heartbeats } from "../../lib/clients/heartbeats.ts";
import { KmsDirectory } from "../../lib/clients/kms-directory.ts";
import { Maintenance } from "../../lib/clients/maintenance.ts";
import { PeerPings } from "../../lib/clients/peer-pings.ts";
import { createHashThreads } from "../../lib/host/hash-threads.ts";
import type { OpsServer } from "../../lib/host/ops-server.ts";
import { createTlsListener, type TlsListener } from "../../lib/host/tls-listener.ts";
import type { ClusterKeys } from "../../lib/seal/cluster-keys.ts";
import type { RootCredentials } from "../credentials.ts";
import type { Whereabouts } from "../roles/frame.ts";
import { VERSION } from "../version.ts";
import { adminOptions } from "./admin.ts";
import { composeAudit } from "./audit.ts";
import type { ClientPorts, Clients } from "./clients.ts";
import { composeIdentity, type IdentityServices } from "./identity.ts";
import type { Instruments } from "./instruments.ts";

export interface GatewayParts {
  readonly name: string;
  readonly ports: ClientPorts &
    Pick<Instruments, "metrics" | "bucketMetrics" | "certificates" | "tracing">;
  readonly clients: Clients;
  readonly whereabouts: Whereabouts;
  readonly addMetrics: OpsServer["addMetrics"];
  /** Buckets with figures of their own. */
  readonly bucketLabels: number;
  readonly settings: S3Settings;
  /** Webhooks that bucket notifications may go to, by name. */
  readonly notificationTargets: readonly string[];
  /** Other stores that buckets may be replicated to, by name. */
  readonly replicationTargets: readonly string[];
  readonly root: RootCredentials;
  /** Seal the keys of encrypted objects and secrets; without one: only clients' own keys. */
  readonly clusterKeys: ClusterKeys;
  readonly identity: IdentitySettings;
  readonly admin: AdminSettings;
  readonly audit: AuditSettings;
  readonly provisioning: ProvisioningSettings;
  /** Made when they are missing. */
  readonly firstBuckets: readonly FirstBucket[];
  /** Names of further nodes in this process, which go when it goes. */
  readonly beside?: readonly string[];
}

export interface ComposedGateway extends RunningGateway {
  /** `https://host:port`, or http. */
  readonly endpoint: string;
  readonly identity: IdentityServices;
  /** Resolves once they are there, or cannot be made, as the log says then. */
  readonly firstBuckets: Promise<void>;
  /** Why the node of that name must not be taken down now; empty when it may. */
  readonly objections: (node: string) => Promise<readonly string[]>;
}

export async function composeGateway(parts: GatewayParts): Promise<ComposedGateway> {
  const { clients, ports, settings, name } = parts;
  const keys = parts.clusterKeys;
  await learnPolicies(parts);
  const tls = tlsOf(parts);
  const identity = composeIdentity({ ...parts, keys, settings: parts.identity });
  const { credentials, directory, oidc, uses } = identity;
  const { rootBinding } = credentials;
  const buckets = bucketMetrics(parts);
  const audit = composeAudit(parts.audit, ports, name);
  watchTokens(parts, identity);
  const hashing = createHashThreads();
  const endpoints = new CampusEndpoints({ ...ports, metadata: clients.metadata });
  const objections = objectionsOf(parts);
  const gateway = await startGateway({
    name,
    observers: [buckets],
    settings,
    notificationTargets: parts.notificationTargets,
    replicationTargets: parts.replicationTargets,
    admin: adminOptions({
      ...{ ports, clients, identity },
      settings: parts.admin,
      provisioning: parts.provisioning,
      tokensEnabled: parts.identity.tokens,
    }),
    dependencies: {
      metadata: clients.metadata,
      buckets: clients.buckets,
      kms: new KmsDirectory({ ...ports, metadata: clients.metadata }, keys),
      cluster: clients.view,
      writer: clients.writer,
      reader: clients.reader,
      hashing,
      ...{ credentials, directory, uses },
      sts: { directory, keys, oidc, rootBinding },
      ...(tls === undefined ? {} : { tls }),
      clock: ports.clock,
      random: ports.random,
      log: ports.log,
      metrics: ports.metrics,
      tracing: ports.tracing,
      audit,
      isReady: () => clients.view.isFresh(),
      mayStop: async () => (await objections(name)).length === 0,
      whereabouts: {
        campus: parts.whereabouts.campus,
        campuses: () => endpoints.list(),
      },
    },
  });
  const reports = startReports(parts, gateway.address);
  return {
    ...gateway,
    endpoint: `${gateway.isSecure ? "https" : "http"}://${gateway.address}`,
    identity,
    objections,
    firstBuckets: seeToFirstBuckets(gateway, parts),
    close: async () => {
      reports.stop();
      await gateway.close();
      await hashing.close();
      await audit?.close();
      tls?.close();
      await identity.stop();
    },
  };
}

/** About one node by its name; what is beside this gateway goes with it. */
function objectionsOf({ ports, clients, name, beside = [] }: GatewayParts) {
  const maintenance = new Maintenance({ ...ports, ...clients });
  const own = [name, ...beside];
  return (node: string): Promise<readonly string[]> =>
    maintenance.objections(new Set(own.includes(node) ? own : [node]));
}

/** Tells the cluster that this gateway is there, and how far it is from the others. */
function startReports(parts: GatewayParts, address: string): { readonly stop: () => void } {
  const { clients, ports, name, settings, whereabouts } = parts;
  const { view, metadata, replicas } = clients;
  const map = () => (view.isFresh() ? view.map() : undefined);
  const pings = new PeerPings({ ...ports, map, replicas });
  const heartbeats = new Heartbeats(
    { metadata, clock: ports.clock, log: ports.log },
    {
      ...{ role: "gateway", name, address, version: VERSION },
      ...whereabouts,
      details: () => linkDetails(pings.campuses(), settings.campusEndpoint),
    },
  );
  pings.start();
  heartbeats.start();
  return {
    stop: () => {
      heartbeats.stop();
      pings.stop();
    },
  };
}

async function seeToFirstBuckets(
  gateway: RunningGateway,
  { firstBuckets, ports }: GatewayParts,
): Promise<void> {
  if (firstBuckets.length === 0) return;
  try {
    await gateway.makeBuckets(firstBuckets);
  } catch (error) {
    if (!isStoreError(error, "aborted")) ports.log.error("buckets could not be made", error);
  }
}

/** Shown on a page of its own; see BucketMetrics. */
function bucketMetrics({ ports, clients, addMetrics, bucketLabels }: GatewayParts): BucketMetrics {
  const { clock, bucketMetrics: metrics } = ports;
  const buckets = new BucketMetrics({ metadata: clients.metadata, clock, metrics, bucketLabels });
  metrics.beforeExpose(() => buckets.refresh());
  addMetrics("/metrics/buckets", metrics);
  return buckets;
}

function watchTokens({ ports }: GatewayParts, { directory }: IdentityServices): void {
  const active = ports.metrics.gauge("tokens_active", {
    help: "Access tokens that are valid now, cluster-wide.",
  });
  ports.metrics.beforeExpose(async () => {
    const nowMs = ports.clock.wallMs();
    let count = 0;
    for (const { tokens } of (await directory.view()).users()) {
      count += tokens.filter(({ expiresMs }) => expiresMs === 0n || expiresMs > nowMs).length;
    }
    active.set(count);
  });
}

/** Where the admin API is; undefined when it is switched off. */
export function adminUrlOf(gateway: RunningGateway): string | undefined {
  const { adminAddress, isSecure } = gateway;
  return adminAddress && `${isSecure ? "https" : "http"}://${adminAddress}`;
}

/** So that names of policies in the settings are checked before anything is served. */
async function learnPolicies({ clients, ports, settings }: GatewayParts): Promise<void> {
  const { locations, storageClasses } = settings;
  if (Object.keys({ ...locations, ...storageClasses }).length === 0) return;
  try {
    await clients.view.refresh();
  } catch (error) {
    const reason = String(error);
    ports.log.warn("the policies in the settings are checked when they are used", { reason });
  }
}

/** Throws StoreError "invalid" for certificates that cannot be used. */
function tlsOf({ settings, ports }: GatewayParts): TlsListener | undefined {
  const { certificateFile } = settings.tls;
  if (certificateFile === "") return undefined;
  const tls = createTlsListener(settings.tls, ports.log);
  ports.certificates.addOwn(() => tls.certificates());
  return tls;
}
