// A metadata replica as a service. It answers from the moment it listens; until it has found or
// founded its cluster it says so. Data that proves bad is rebuilt: from the log where that is
// whole, else under a new id from the other replicas, and only while a majority of them serves
// without this one.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { isStoreError, type StoreError, toStoreError } from "../lib/base/errors.ts";
import { FIRST_INDEX_GROUP, ROOT_GROUP } from "../lib/clients/groups.ts";
import { ClusterService } from "../lib/gen/dolium/cluster/v1/cluster_pb.ts";
import { MembershipService } from "../lib/gen/dolium/metadata/v1/membership_pb.ts";
import {
  MetadataService,
  type ReplicaStatusResponseSchema,
} from "../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { Timer } from "../lib/ports/clock.ts";
import type { RpcServer, Transport } from "../lib/ports/transport.ts";
import { Audit } from "./audit.ts";
import { ClusterWatch } from "./cluster-service.ts";
import { AUDIT_BYTES_PER_SECOND, checkConfig, type MetadataConfig } from "./config.ts";
import { DigestWatch } from "./digest-watch.ts";
import { freshIdentity, type Identity, IdentityFile } from "./identity.ts";
import { Lifecycle } from "./lifecycle.ts";
import { membershipHandlers } from "./membership-service.ts";
import { metadataHandlers } from "./metadata-service.ts";
import { SERVING } from "./peer-status.ts";
import { Proposer } from "./proposer.ts";
import { RaftRoutes } from "./raft-routes.ts";
import type { ReplicaDeps } from "./replica.ts";
import { newReplicaId } from "./replica-id.ts";
import { replicaStatus, type StatusSource } from "./replica-status.ts";
import { readClusterMap } from "./state/cluster-record.ts";

export interface MetadataDeps extends ReplicaDeps {
  readonly transport: Transport;
  /** The Raft log or core failed for good: the process should be restarted. */
  readonly fatal?: (error: StoreError) => void;
}

export type ReplicaStatus = MessageInitShape<typeof ReplicaStatusResponseSchema>;

export class MetadataServer {
  readonly #deps: MetadataDeps;
  readonly #config: MetadataConfig;
  readonly #routes: RaftRoutes;
  readonly #lifecycle: Lifecycle;
  readonly #proposer: Proposer;
  readonly #cluster: ClusterWatch;
  readonly #digests: DigestWatch;
  readonly #audit: Audit;
  readonly #status: StatusSource;
  /** Groups this replica leads. */
  readonly #leads = new Set<number>();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(deps: MetadataDeps, config: MetadataConfig, identity: IdentityFile) {
    const times = checkConfig(config);
    this.#deps = deps;
    this.#config = config;
    this.#routes = new RaftRoutes(deps, config.peers);
    this.#lifecycle = new Lifecycle({
      ...deps,
      config,
      identity,
      openTraffic: (route) => this.#routes.open(route),
      leaderChanged: (groupId, isLeader) => this.#leaderChanged(groupId, isLeader),
    });
    const lifecycle = this.#lifecycle;
    const replica = () => lifecycle.replica;
    const groupFailed = (groupId: number, error: StoreError) => lifecycle.failed(groupId, error);
    const { peers } = config;
    const { callMs, digestMs, auditMs } = times;
    this.#proposer = new Proposer({ ...deps, peers, callMs, replica, groupFailed });
    const proposer = this.#proposer;
    this.#cluster = new ClusterWatch({ ...deps, proposer, replica, times });
    this.#digests = new DigestWatch({ ...deps, config, proposer, digestMs, replica, groupFailed });
    const bytesPerSecond = config.auditBytesPerSecond ?? AUDIT_BYTES_PER_SECOND;
    const groups = () => lifecycle.replica?.groups() ?? [];
    this.#audit = new Audit({ ...deps, bytesPerSecond, auditMs, groups, groupFailed });
    this.#status = {
      config,
      replicaId: () => lifecycle.identity.replicaId,
      replica,
      state: () => lifecycle.state,
      wallMs: () => deps.clock.wallMs(),
      groupState: (groupId) => lifecycle.groupState(groupId),
    };
  }

  /** Reads or makes the durable identity. Throws "invalid" for a bad configuration. */
  static async open(deps: MetadataDeps, config: MetadataConfig): Promise<MetadataServer> {
    checkConfig(config);
    const identity = await openIdentity(deps, config);
    return new MetadataServer(deps, config, identity);
  }

  /** Adds the services of this replica; before the server listens. */
  register(rpc: RpcServer): void {
    const lifecycle = this.#lifecycle;
    rpc.add(MetadataService, metadataHandlers(this.#proposer, this.#status));
    rpc.add(ClusterService, this.#cluster.handlers());
    rpc.add(
      MembershipService,
      membershipHandlers({
        config: this.#config,
        log: this.#deps.log,
        identity: () => lifecycle.identity,
        replica: () => lifecycle.replica,
        found: (founding) => lifecycle.found(founding),
      }),
    );
    this.#routes.register(rpc);
  }

  /** Begins to look for the cluster; once others can reach this replica at its address. */
  start(): void {
    this.#lifecycle.start();
    this.#cluster.start();
    this.#digests.start();
    this.#audit.start();
    this.#planInit();
  }

  /** What this replica knows of itself. */
  status(): ReplicaStatus {
    return replicaStatus(this.#status);
  }

  /** What is missing until every group of this replica follows a leader; undefined: nothing. */
  lacks(): string | undefined {
    const { groups = [] } = this.status();
    if (groups.length === 0) return "its cluster";
    const waiting = groups.find(({ state }) => state !== SERVING);
    return waiting && `group ${waiting.groupId}: ${waiting.state}`;
  }

  /** Gives every leadership to another replica, as far as there is one; this one serves on. */
  async handOver(): Promise<void> {
    await this.#lifecycle.replica?.handOver();
  }

  /**
   * Compares digests now, and checks every group's values and files once; for operators and tests.
   */
  async checkNow(): Promise<void> {
    await this.#digests.look();
    await this.#audit.pass();
  }

  /**
   * Hands leadership over (where nobody else goes on, `handOver` is false), stops, closes. The RPC
   * server is the caller's to close, after this.
   */
  async close({ handOver = true }: { readonly handOver?: boolean } = {}): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#audit.close();
    await this.#digests.close();
    await this.#cluster.close();
    await this.#lifecycle.close({ handOver });
  }

  #leaderChanged(groupId: number, isLeader: boolean): void {
    if (this.#leads.has(groupId) !== isLeader) {
      this.#deps.log.info(isLeader ? "leads a group" : "leads a group no more", { groupId });
    }
    if (isLeader) this.#leads.add(groupId);
    else this.#leads.delete(groupId);
    if (groupId === ROOT_GROUP) this.#cluster.leaderChanged(isLeader);
  }

  /** The root group's leader writes the first cluster map. */
  #planInit(): void {
    this.#timer = this.#deps.clock.after(checkConfig(this.#config).retryMs, () => {
      this.#initCluster().then(
        (isDone) => {
          if (!isDone && !this.#isClosed) this.#planInit();
        },
        (error: unknown) => {
          const reason = toStoreError(error).message;
          if (this.#isClosed) return;
          this.#deps.log.warn("the cluster map is not written yet", { reason });
          this.#planInit();
        },
      );
    });
  }

  /** True once there is a map. */
  async #initCluster(): Promise<boolean> {
    const root = this.#lifecycle.replica?.group(ROOT_GROUP);
    if (root === undefined) return false;
    if ((await this.#proposer.readLocal(root, readClusterMap)) !== undefined) return true;
    if (!root.raft.isLeader() || this.#config.awaitImport === true) return false;
    const { policies, defaultPolicy, placementGroupCount } = this.#config.cluster;
    const { clusterId, groupIds } = this.#lifecycle.identity;
    const value = {
      clusterId,
      policies: [...policies],
      defaultPolicy,
      placementGroupCount,
      indexGroups: groupIds.filter((groupId) => groupId >= FIRST_INDEX_GROUP),
    };
    await this.#proposer.run(ROOT_GROUP, { case: "initCluster", value });
    return true;
  }
}

async function openIdentity(deps: MetadataDeps, config: MetadataConfig): Promise<IdentityFile> {
  const { disk, random, log } = deps;
  const { dataDir, name, peers } = config;
  const fresh = (): Identity => freshIdentity(newReplicaId(name, random));
  try {
    return await IdentityFile.open(disk, dataDir, fresh);
  } catch (error) {
    // One of several is as one that lost its disk; the only one must not forget its data.
    if (!isStoreError(error, "corrupt") || peers.length === 1) throw error;
    log.error("the identity of this replica is unreadable: it takes a new one", error);
    await IdentityFile.setAside(disk, dataDir);
    return IdentityFile.open(disk, dataDir, fresh);
  }
}
