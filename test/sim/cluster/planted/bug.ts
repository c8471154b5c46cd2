// What a planted bug is: a fault of the kind that real stores have had, put around the product's
// code on purpose, to prove that the checks can fail.
import type { Clients } from "../../../../services/cli/compose/clients.ts";
import type { KeeperConfig } from "../../../../services/keeper/config.ts";
import type { Disk } from "../../../../services/lib/ports/disk.ts";
import type { KvFactory } from "../../../../services/lib/ports/kv.ts";
import type { Workload } from "../client.ts";
import type { Fault } from "../nemesis.ts";
import type { Ports, Role } from "../process.ts";
import type { Check } from "../violation.ts";

/** The places where a bug can be put in; each leaves things as they are unless it is given. */
export interface Places {
  /** `pause`: as long as a sync takes. */
  disk(role: Role, disk: Disk, pause: () => Promise<void>): Disk;
  kvFactory(processName: string, factory: KvFactory): KvFactory;
  gateway(clients: Clients, ports: Ports): Clients;
  keeper(clients: Clients): Clients;
  readonly keeperConfig: Partial<KeeperConfig>;
  /** Changes what all processes share; the returned function undoes it. */
  install(): () => void;
}

export interface Bug {
  /** What is wrong. */
  readonly what: string;
  /** The checks that may find it: another one would have found it by accident. */
  readonly checks: readonly Check[];
  /** Faults without which it stays asleep; as the seed draws them when not given. */
  readonly faults?: readonly Fault[];
  /** What clients do so that it is met often; as the seed draws it where not given. */
  readonly workload?: Partial<Workload>;
  /** Bodies up to so many bytes are kept with the names; as the seed draws it when not given. */
  readonly inlineBytes?: number;
  /** The first of five seeds, one of which finds it. */
  readonly seed: number;
  readonly places: Partial<Places>;
}
