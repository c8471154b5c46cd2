// Looks at a running cluster from behind: the cluster map, every manifest of every group, and the
// state of each shard on its disk; for tests that count what status only says.

import { clusterSecretFile, clusterSecretOf } from "../../services/cli/credentials.ts";
import { readPlan } from "../../services/cli/dev/cluster-file.ts";
import { ClusterView } from "../../services/lib/clients/cluster-view.ts";
import { MetadataClient } from "../../services/lib/clients/metadata-client.ts";
import { ShardClient } from "../../services/lib/clients/shard-client.ts";
import type { Chunk, Manifest } from "../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { createClock } from "../../services/lib/host/clock.ts";
import { createGrpcTransport } from "../../services/lib/host/grpc-transport.ts";
import { createLog } from "../../services/lib/host/log.ts";
import { createRandom } from "../../services/lib/host/random.ts";

export interface FoundChunk {
  readonly manifest: Manifest;
  readonly chunk: Chunk;
}

export class ChunkCensus {
  readonly view: ClusterView;
  readonly shards: ShardClient;
  readonly #metadata: MetadataClient;
  readonly #transport: ReturnType<typeof createGrpcTransport>;

  /** `dataDir`: of a cluster of processes on this machine. */
  constructor(dataDir: string) {
    const addresses = (readPlan(dataDir)?.processes ?? [])
      .filter(({ role }) => role === "metadata")
      .map(({ rpcPort }) => `127.0.0.1:${rpcPort}`);
    const clusterSecret = clusterSecretOf(clusterSecretFile(dataDir));
    const transport = createGrpcTransport({ clusterSecret });
    const [clock, random, log] = [createClock(), createRandom(), createLog({ level: "silent" })];
    this.#transport = transport;
    this.#metadata = new MetadataClient({ transport, clock, random, log }, { addresses });
    this.view = new ClusterView(this.#metadata, clock, log);
    this.shards = new ShardClient(transport);
  }

  /** Every chunk of every committed manifest, under the present map. */
  async chunks(): Promise<FoundChunk[]> {
    await this.view.refresh();
    const found: FoundChunk[] = [];
    for (const groupId of this.view.indexGroups()) {
      let cursor: Uint8Array = new Uint8Array(0);
      do {
        const value = { cursor, limit: 500 };
        const page = await this.#metadata.query(groupId, { case: "scanManifests", value });
        for (const { manifest } of page.entries) {
          for (const chunk of manifest?.chunks ?? []) {
            if (manifest !== undefined) found.push({ manifest, chunk });
          }
        }
        cursor = page.nextCursor;
      } while (cursor.byteLength > 0);
    }
    return found;
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }
}
