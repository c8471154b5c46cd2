// What the clients of a run did and saw: operations for the checkers, which body belongs to which
// value, and the versions that were acknowledged and must stay.
import type { Operation } from "../../checkers/history.ts";
import type { BodyName } from "./bodies.ts";
import type { SimCluster } from "./cluster.ts";

export interface KeptVersion {
  readonly bucket: string;
  readonly key: string;
  readonly versionId: string;
  readonly value: string;
}

export class History {
  readonly operations: Operation[] = [];
  readonly bodies = new Map<string, BodyName>();
  readonly versions: KeptVersion[] = [];
  readonly counts: Record<string, number> = {};
  readonly #cluster: SimCluster;
  #order = 0;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  /** Milliseconds, with a fraction that keeps the order within one instant. */
  now(): number {
    this.#order += 1;
    return this.#cluster.clock.monotonicMs() + this.#order / 2 ** 24;
  }

  add(operation: Operation): void {
    this.operations.push(operation);
    const { kind, output, client, bucket, key } = operation;
    const name = `${kind} ${output.kind}`;
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    const value = output.kind === "ok" ? (output.value ?? "") : "";
    this.#cluster.trace(`op ${client} ${name} ${bucket}/${key} ${value}`);
  }
}
