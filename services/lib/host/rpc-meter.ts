// What is counted of the calls that this process makes: how many, how long, how many bytes, to
// which campus. Labels come from the method table, the error codes and the cluster map, so their
// number is bounded.
import type { DescMethod } from "@bufbuild/protobuf";
import type { Clock } from "../ports/clock.ts";
import type { Metrics } from "../ports/metrics.ts";
import type { CallObserver } from "./rpc-observer.ts";

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** Where the cluster map does not say where a peer stands. */
const UNKNOWN_CAMPUS = "unknown";

/** The part of a cluster map that says where an address stands. */
export interface CampusMap {
  readonly nodes: readonly { readonly address: string; readonly campus: string }[];
}

export interface RpcMeter extends CallObserver {
  /** From now on campuses of peers come from the map; undefined: not known yet. */
  follow(map: () => CampusMap | undefined): void;
}

export function createRpcMeter(metrics: Metrics, clock: Pick<Clock, "monotonicMs">): RpcMeter {
  const { requests, seconds, bytes } = countersOf(metrics);
  let mapNow: () => CampusMap | undefined = () => undefined;
  let known: CampusMap = { nodes: [] };
  let campuses: ReadonlyMap<string, string> = new Map();

  function campusOf(address: string): string {
    const map = mapNow();
    if (map !== undefined && map !== known) {
      known = map;
      campuses = new Map(map.nodes.map((node) => [node.address, node.campus]));
    }
    return campuses.get(address) ?? UNKNOWN_CAMPUS;
  }
  return {
    begin({ address, method }) {
      const beganMs = clock.monotonicMs();
      return {
        ended: ({ code, sentBytes, receivedBytes }) => {
          const labels = { method: labelOf(method), peer_campus: campusOf(address) };
          const { peer_campus } = labels;
          requests.increment({ method: labels.method, code });
          seconds.observe((clock.monotonicMs() - beganMs) / 1000, labels);
          if (sentBytes > 0) bytes.increment({ direction: "sent", peer_campus }, sentBytes);
          const direction = "received";
          if (receivedBytes > 0) bytes.increment({ direction, peer_campus }, receivedBytes);
        },
      };
    },
    follow: (map) => {
      mapNow = map;
    },
  };
}

function countersOf(metrics: Metrics) {
  return {
    requests: metrics.counter("rpc_requests_total", {
      help: "Calls made to other services, by method and outcome (ok, cancelled, an error code).",
      labels: ["method", "code"],
    }),
    seconds: metrics.histogram("rpc_request_duration_seconds", {
      help: "From the start of a call made to its end, streams whole.",
      labels: ["method", "peer_campus"],
      buckets: SECONDS,
    }),
    bytes: metrics.counter("rpc_bytes_total", {
      help: "Bytes of messages of calls made, by direction (sent, received).",
      labels: ["direction", "peer_campus"],
    }),
  };
}

/** `MetadataService/Execute`. */
function labelOf(method: DescMethod): string {
  return `${method.parent.name}/${method.name}`;
}
