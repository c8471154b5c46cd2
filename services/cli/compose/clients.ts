// Wires the clients of one process: metadata, cluster view, shards, bodies.
import { BodyReader, type ChunkDamage } from "../../lib/clients/body-reader.ts";
import { BodyWriter } from "../../lib/clients/body-writer.ts";
import { BucketDirectory } from "../../lib/clients/bucket-directory.ts";
import { ClusterView } from "../../lib/clients/cluster-view.ts";
import { countedErasure } from "../../lib/clients/counted-erasure.ts";
import { DamageReporter } from "../../lib/clients/damage-reporter.ts";
import { MetadataClient } from "../../lib/clients/metadata-client.ts";
import { ShardClient } from "../../lib/clients/shard-client.ts";
import { StripePool } from "../../lib/clients/stripe-pool.ts";
import { createErasureCompute } from "../../lib/erasure/compute.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { ErasureCompute } from "../../lib/ports/compute.ts";
import type { Log } from "../../lib/ports/log.ts";
import type { Metrics } from "../../lib/ports/metrics.ts";
import type { Random } from "../../lib/ports/random.ts";
import type { Transport } from "../../lib/ports/transport.ts";

export interface ClientPorts {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface Clients {
  readonly metadata: MetadataClient;
  readonly view: ClusterView;
  readonly buckets: BucketDirectory;
  readonly shards: ShardClient;
  readonly erasure: ErasureCompute;
  readonly writer: BodyWriter;
  readonly reader: BodyReader;
  /** host:port of every metadata replica. */
  readonly replicas: readonly string[];
  close(): void;
}

/** Room for stripes that clients are filling; further bodies wait. */
const POOL_BYTES = 64 * 1024 * 1024;

/**
 * `addresses`: the metadata replicas. The view starts to follow the cluster map at once. Coding is
 * counted where there are metrics. `campus`: where this process stands; shards there are read
 * first.
 */
export function createClients(
  ports: ClientPorts & { readonly metrics?: Metrics; readonly campus?: string },
  addresses: readonly string[],
): Clients {
  const { transport, clock, random, log, metrics } = ports;
  const metadata = new MetadataClient({ transport, clock, random, log }, { addresses });
  const view = new ClusterView(metadata, clock, log, ports.campus);
  const shards = new ShardClient(transport);
  const kernel = createErasureCompute();
  const erasure = metrics === undefined ? kernel : countedErasure(kernel, metrics);
  const reconstructed = metrics?.counter("ec_reconstructed_reads_total", {
    help: "Chunks read of which some cells had to be computed from others.",
  });
  const pool = new StripePool(POOL_BYTES);
  const damages = new DamageReporter({ metadata, view, clock, log });
  const onDamage = (damage: ChunkDamage): void => damages.report(damage);
  view.start();
  return {
    metadata,
    view,
    buckets: new BucketDirectory(metadata, clock),
    shards,
    erasure,
    writer: new BodyWriter({ view, shards, erasure, pool, clock, random, log }),
    reader: new BodyReader({
      ...{ view, shards, erasure, clock, onDamage },
      onReconstructed: () => reconstructed?.increment(),
    }),
    replicas: addresses,
    close: () => {
      view.stop();
      damages.close();
    },
  };
}
