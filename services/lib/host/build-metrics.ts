// What a process is and since when it runs, as metrics. The commit comes from whoever builds the
// image (DOLIUM_COMMIT); it is empty where nobody says.
import process from "node:process";
import type { Metrics } from "../ports/metrics.ts";

export function registerBuildMetrics(metrics: Metrics, version: string): void {
  const labels = {
    version,
    commit: process.env.DOLIUM_COMMIT ?? "",
    node_version: process.version,
  };
  metrics
    .gauge("build_info", {
      help: "Always 1; its labels say what runs.",
      labels: Object.keys(labels),
    })
    .set(1, labels);
  metrics
    .gauge("start_time_seconds", { help: "When the process began, seconds since 1970." })
    .set(performance.timeOrigin / 1000);
}
