// An audit log whose lines stay in memory, on a simulated clock.
import { AuditLog } from "../../../services/gateway/audit/audit-log.ts";
import type { AuditSettings } from "../../../services/gateway/audit/audit-settings.ts";
import { fromUtf8 } from "../../../services/lib/base/bytes.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import type { AuditSink } from "../../../services/lib/ports/audit.ts";
import { SimClock } from "../../sim/clock.ts";
import { MemoryLog, MemoryMetrics } from "./memory-gateway.ts";

export const AUDIT_SETTINGS: AuditSettings = {
  requests: "denied",
  file: "",
  fileBytesMax: 4096,
  filesMax: 3,
  stdout: false,
  webhook: "",
  webhookToken: "",
  queueLines: 4,
  onFull: "drop",
};

/** Takes lines only while it is open. */
export class GatedSink implements AuditSink {
  readonly name = "gated";
  readonly lines: Record<string, unknown>[] = [];
  isOpen = true;

  async write(lines: Uint8Array): Promise<void> {
    if (!this.isOpen) throw new StoreError("unavailable", "closed");
    const text = fromUtf8(lines) ?? "";
    for (const line of text.trimEnd().split("\n")) this.lines.push(JSON.parse(line));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export function auditLog(change: Partial<AuditSettings> = {}) {
  const sink = new GatedSink();
  const clock = new SimClock();
  const metrics = new MemoryMetrics();
  const deps = { sinks: [sink], clock, log: new MemoryLog(), metrics, node: "g1" };
  const audit = new AuditLog(deps, { ...AUDIT_SETTINGS, ...change });
  return {
    audit,
    sink,
    clock,
    count: (name: string) => metrics.values.get(`${name}{sink="gated"}`),
  };
}
