// What every role of a process is given, and what it gives back.
import type { OpsServer } from "../../lib/host/ops-server.ts";
import type { ProcessLife } from "../../lib/host/process.ts";
import type { RpcServer } from "../../lib/ports/transport.ts";
import type { ClientPorts } from "../compose/clients.ts";
import type { Instruments } from "../compose/instruments.ts";
import type { Config } from "../config-schema.ts";

export interface Running {
  /** What the ready line says beside the role. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Undefined once it serves; else what it waits for. */
  readonly waitingFor: () => string | undefined;
  /** Why it is not ready although it serves, say behind the others; undefined when it is. */
  readonly lacks?: () => string | undefined;
  /** Has others do without it before it is stopped; it serves on until then. */
  readonly leave?: () => Promise<void>;
  /**
   * Why the node of that name (undefined: this one) must not be taken down now; empty when it may.
   * Without it, others do not lose anything by this process.
   */
  readonly objections?: (node: string | undefined) => Promise<readonly string[]>;
}

/** Where a process stands, and where its metrics are. */
export interface Whereabouts {
  readonly campus: string;
  /** host:port of its metrics and health; empty: not told. */
  readonly opsAddress: string;
}

export interface Frame {
  readonly config: Config;
  readonly ports: ClientPorts & Instruments;
  readonly life: ProcessLife;
  readonly server: RpcServer;
  /** What others are told of this process beside its name. */
  readonly whereabouts: Whereabouts;
  readonly addMetrics: OpsServer["addMetrics"];
}

export function metadataAddresses({ config }: Frame): readonly string[] {
  return config.cluster.metadata.map((replica) => replica.address);
}

/** How long running calls may go on when a process stops. */
export const RPC_GRACE_MS = 5000;
