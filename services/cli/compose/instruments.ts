// What watches a process: its metrics, what counts its calls and its stores. One a process.
import { registerBuildMetrics } from "../../lib/host/build-metrics.ts";
import { CertificateWatch } from "../../lib/host/certificate-watch.ts";
import { createKvMeter, type KvMeter } from "../../lib/host/kv-meter.ts";
import { createMetrics, type MetricsRegistry } from "../../lib/host/metrics.ts";
import { createRpcMeter, type RpcMeter } from "../../lib/host/rpc-meter.ts";
import type { CallObserver } from "../../lib/host/rpc-observer.ts";
import { createTracing, tracedCalls } from "../../lib/host/tracing.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Tracing } from "../../lib/ports/tracing.ts";
import { VERSION } from "../version.ts";

export interface Instruments {
  readonly metrics: MetricsRegistry;
  /** Of single buckets: a page of its own, since it may be long. */
  readonly bucketMetrics: MetricsRegistry;
  readonly calls: RpcMeter;
  /** Undefined where nothing is traced. */
  readonly tracing: Tracing | undefined;
  /** All that watches the calls which this process makes. */
  readonly observers: readonly CallObserver[];
  /** Those that this process uses, and those of its peers. */
  readonly certificates: CertificateWatch;
  /** The meter of the stores that hold `what`; the same one for the same name. */
  readonly stores: (what: string) => KvMeter;
}

export async function createInstruments(clock: Clock): Promise<Instruments> {
  const metrics = createMetrics();
  const calls = createRpcMeter(metrics, clock);
  const tracing = await createTracing(VERSION);
  registerBuildMetrics(metrics, VERSION);
  const meters = new Map<string, KvMeter>();
  return {
    metrics,
    bucketMetrics: createMetrics({ nodeMetrics: false }),
    ...{ calls, tracing },
    observers: tracing === undefined ? [calls] : [calls, tracedCalls(tracing)],
    certificates: new CertificateWatch(metrics),
    stores: (what) => {
      const known = meters.get(what) ?? createKvMeter(metrics, clock, what);
      meters.set(what, known);
      return known;
    },
  };
}
