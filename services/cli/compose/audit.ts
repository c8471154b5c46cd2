// Wires the audit log of a gateway: where its lines go.
import { AuditLog } from "../../gateway/audit/audit-log.ts";
import type { AuditSettings } from "../../gateway/audit/audit-settings.ts";
import { auditFile, auditStdout, auditWebhook } from "../../lib/host/audit-sinks.ts";
import { createHttpClient } from "../../lib/host/http-client.ts";
import type { AuditSink } from "../../lib/ports/audit.ts";
import type { Metrics } from "../../lib/ports/metrics.ts";
import type { ClientPorts } from "./clients.ts";

/** Undefined where the settings name no destination. `node`: name of the gateway. */
export function composeAudit(
  settings: AuditSettings,
  ports: ClientPorts & { readonly metrics: Metrics },
  node: string,
): AuditLog | undefined {
  const sinks = sinksOf(settings);
  if (sinks.length === 0) return undefined;
  const { clock, log, metrics } = ports;
  return new AuditLog({ sinks, clock, log, metrics, node }, settings);
}

function sinksOf(settings: AuditSettings): readonly AuditSink[] {
  const { file: path, fileBytesMax, filesMax, stdout, webhook, webhookToken } = settings;
  return [
    ...(path === "" ? [] : [auditFile({ path, bytesMax: fileBytesMax, filesMax })]),
    ...(stdout ? [auditStdout()] : []),
    ...(webhook === "" ? [] : [auditWebhook(createHttpClient(), webhook, webhookToken)]),
  ];
}
