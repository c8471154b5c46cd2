// What watches a process: its metrics, what counts its calls and its stores. One a process.
import { registerBuildMetrics } from "../../lib/host/build-metrics.ts";
import { CertificateWatch } from "../../lib/host/certificate-watch.ts";
import { createKvMeter, type KvMeter } from "../../lib/host/kv-meter.ts";
import { createMetrics, type MetricsRegistry } from "../../lib/host/metrics.ts";
import { createRpcMeter, type RpcMeter } from "../../lib/host/rpc-meter.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import { VERSION } from "../version.ts";

export interface Instruments {
  readonly metrics: MetricsRegistry;
  /** Of single buckets: a page of its own, since it may be long. */
  readonly bucketMetrics: MetricsRegistry;
  readonly calls: RpcMeter;
  /** Those that this process uses, and those of its peers. */
  readonly certificates: CertificateWatch;
  /** The meter of the stores that hold `what`; the same one for the same name. */
  readonly stores: (what: string) => KvMeter;
}

export function createInstruments(clock: Clock): Instruments {
  const metrics = createMetrics();
  registerBuildMetrics(metrics, VERSION);
  const meters = new Map<string, KvMeter>();
  return {
    metrics,
    bucketMetrics: createMetrics({ nodeMetrics: false }),
    calls: createRpcMeter(metrics, clock),
    certificates: new CertificateWatch(metrics),
    stores: (what) => {
      const known = meters.get(what) ?? createKvMeter(metrics, clock, what);
      meters.set(what, known);
      return known;
    },
  };
}
