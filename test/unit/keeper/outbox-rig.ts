// Runs the part of the keeper that empties outboxes, over a rig, until its test ends or it is
// stopped as a lost lease would stop it.
import type { TestContext } from "node:test";
import { BucketCatalog } from "../../../services/keeper/buckets/bucket-catalog.ts";
import type { KeeperDeps } from "../../../services/keeper/deps.ts";
import { logMetrics } from "../../../services/keeper/logs/log-metrics.ts";
import { notifyMetrics } from "../../../services/keeper/notify/notify-metrics.ts";
import { OutboxSession } from "../../../services/keeper/outbox/outbox-session.ts";
import { replicationMetrics } from "../../../services/keeper/replicate/replication-metrics.ts";
import type { Rig } from "./rig.ts";

export function startOutbox(context: TestContext, rig: Rig, deps: KeeperDeps) {
  const session = new OutboxSession({
    deps,
    catalog: new BucketCatalog(deps),
    notifyMetrics: notifyMetrics(rig.metrics),
    logMetrics: logMetrics(rig.metrics),
    replicationMetrics: replicationMetrics(rig.metrics),
  });
  const end = new AbortController();
  const done = session.run(end.signal);
  const stop = async (): Promise<void> => {
    end.abort();
    await done;
  };
  context.after(stop);
  return { stop };
}
