// How far gateways are from each campus, as they tell with their heartbeats: `details` of a
// gateway is `{"campusRttMs": {campus: milliseconds}, "endpoint": URL}`, the endpoint where
// clients reach its campus. What is not of this form counts as nothing told, as from gateways of
// another release.
import type { ClusterStatusResponse } from "../gen/dolium/cluster/v1/cluster_pb.ts";

const DIGITS = 1000;

export interface LinkView {
  /** Name of the gateway that measured. */
  readonly gateway: string;
  readonly campus: string;
  /** Milliseconds there and back, to the nearest node of the campus. */
  readonly rttMs: number;
}

/** What `linksOf` and `endpointTold` read. An empty endpoint is not told. */
export function linkDetails(campuses: ReadonlyMap<string, number>, endpoint = ""): string {
  const campusRttMs = Object.fromEntries(
    [...campuses].map(([campus, ms]) => [campus, Math.round(ms * DIGITS) / DIGITS]),
  );
  return JSON.stringify(endpoint === "" ? { campusRttMs } : { campusRttMs, endpoint });
}

/** The URL of its campus that a gateway told with its heartbeat. */
export function endpointTold(details: string): string | undefined {
  const parsed = parsedOrNothing(details);
  if (typeof parsed !== "object" || parsed === null || !("endpoint" in parsed)) return undefined;
  return typeof parsed.endpoint === "string" ? parsed.endpoint : undefined;
}

/** By gateway and campus. */
export function linksOf(cluster: ClusterStatusResponse | undefined): LinkView[] {
  const gateways = (cluster?.processes ?? []).filter(({ role }) => role === "gateway");
  return gateways
    .flatMap(({ name, details }) =>
      toldBy(details).map(([campus, rttMs]) => ({ gateway: name, campus, rttMs })),
    )
    .sort((a, b) => (`${a.gateway}\0${a.campus}` < `${b.gateway}\0${b.campus}` ? -1 : 1));
}

function toldBy(details: string): (readonly [string, number])[] {
  const parsed = parsedOrNothing(details);
  if (typeof parsed !== "object" || parsed === null || !("campusRttMs" in parsed)) return [];
  const { campusRttMs } = parsed;
  if (typeof campusRttMs !== "object" || campusRttMs === null) return [];
  return Object.entries(campusRttMs).flatMap(([campus, ms]: [string, unknown]) =>
    typeof ms === "number" && Number.isFinite(ms) ? [[campus, ms] as const] : [],
  );
}

function parsedOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
