// What the answers of an endpoint's addresses mean: clocks, round robin, certificates. Pure. Each
// check says what was looked at, a verdict, and what to do where something is wrong.
import type { Answered, Probe } from "./probe.ts";

export interface Check {
  readonly name: string;
  readonly verdict: "ok" | "warn" | "fail";
  readonly finding: string;
  /** Empty where all is well. */
  readonly advice: string;
}

export interface EndpointFacts {
  readonly url: string;
  /** S3, whose buckets have names of their own; the admin port has none. */
  readonly isS3: boolean;
  /** One an address; empty with a `failure`. */
  readonly probes: readonly Probe[];
  /** Why the name leads nowhere. */
  readonly failure?: string;
}

/** SigV4 refuses requests that are off by more. */
const CLOCK_FAIL_MS = 15 * 60_000;
const CLOCK_WARN_MS = 1000;
const DAY_MS = 86_400_000;
const DAYS_WARN = 21;

export function endpointChecks(facts: EndpointFacts, nowMs: number): Check[] {
  const { url, probes, failure } = facts;
  if (failure !== undefined) {
    const finding = `${url}: its name leads nowhere (${failure})`;
    return [{ name: "name", verdict: "fail", finding, advice: "mend the name in DNS, or the URL" }];
  }
  const answered = probes.filter((one) => one.kind === "answered");
  return [
    ...nameChecks(facts, answered),
    ...answered.map((one) => clockCheck(url, one)),
    ...answered.flatMap((one) => certificateChecks(facts, one, nowMs)),
  ];
}

function nameChecks({ url, probes }: EndpointFacts, answered: readonly Answered[]): Check[] {
  const silent = probes.flatMap((one): Check[] => {
    if (one.kind === "answered") return [];
    const finding = `${url}: ${one.address} does not answer (${one.reason})`;
    const advice =
      answered.length > 0
        ? "start the gateway there, or take the address out of the name: some requests fail"
        : "start the gateway, or look at the address, the port and what is between";
    return [{ name: "name", verdict: "fail", finding, advice }];
  });
  if (silent.length > 0) return silent;
  const clusters = new Set(answered.flatMap(({ clusterId }) => clusterId ?? []));
  if (clusters.size > 1) {
    const finding = `${url}: its addresses belong to several clusters: ${[...clusters].join(", ")}`;
    const advice = "one name must lead to one cluster: take the others out of it";
    return [{ name: "name", verdict: "fail", finding, advice }];
  }
  const addresses = answered.map(({ address }) => address).join(", ");
  const isKnown = answered.every(({ clusterId }) => clusterId !== undefined);
  const same = isKnown ? ", all of one cluster" : "; of which cluster, these keys are not told";
  const many = answered.length === 1 ? addresses : `${addresses}${same}`;
  return [{ name: "name", verdict: "ok", finding: `${url}: answers at ${many}`, advice: "" }];
}

/**
 * The server's clock less ours, as near to 0 as its whole seconds and the way allow: the header was
 * written between sending and receiving, and its time is up to a second later than it says.
 */
export function clockOffsetMs({
  dateMs,
  sentMs,
  receivedMs,
}: {
  readonly dateMs: number;
  readonly sentMs: number;
  readonly receivedMs: number;
}): number {
  const [least, most] = [dateMs - receivedMs, dateMs + 1000 - sentMs];
  if (least > 0) return least;
  return Math.min(most, 0);
}

function clockCheck(url: string, { address, dateMs, sentMs, receivedMs }: Answered): Check {
  const name = "clock";
  const who = `${url} at ${address}`;
  if (dateMs === undefined) {
    const advice = "something between strips the Date header";
    return { name, verdict: "warn", finding: `${who} does not tell its time`, advice };
  }
  const offset = clockOffsetMs({ dateMs, sentMs, receivedMs });
  const size = Math.abs(offset);
  if (size <= CLOCK_WARN_MS) {
    return { name, verdict: "ok", finding: `${who} has the time of this machine`, advice: "" };
  }
  const way = offset > 0 ? "ahead of" : "behind";
  const finding = `${who} is ${(size / 1000).toFixed(0)} s ${way} this machine`;
  const advice = "set both clocks by NTP (15 minutes off, every signed request is refused)";
  return { name, verdict: size > CLOCK_FAIL_MS ? "fail" : "warn", finding, advice };
}

function certificateChecks({ url, isS3 }: EndpointFacts, one: Answered, nowMs: number): Check[] {
  const { certificate, address } = one;
  if (certificate === undefined) return [];
  const who = `${url} at ${address} (${certificate.subject})`;
  const name = "certificate";
  const checks: Check[] = [];
  const { refusal } = certificate;
  const isAboutNames = refusal.includes("ALTNAME");
  if (refusal !== "" && !isAboutNames) {
    const advice = "send the whole chain, or have clients trust its authority (AWS_CA_BUNDLE)";
    checks.push({
      name,
      verdict: "fail",
      finding: `${who}: clients refuse it: ${refusal}`,
      advice,
    });
  }
  if (!certificate.coversHost) {
    const advice = "have one made that names the host of the endpoint";
    checks.push({ name, verdict: "fail", finding: `${who} does not name this host`, advice });
  } else if (isS3 && !certificate.coversBuckets) {
    const advice = "add *.HOST to its names, or have clients use path style";
    const finding = `${who} does not name BUCKET.HOST, which many clients ask for`;
    checks.push({ name, verdict: "warn", finding, advice });
  }
  const days = Math.floor((certificate.endsMs - nowMs) / DAY_MS);
  if (days < DAYS_WARN) {
    const verdict = certificate.endsMs <= nowMs ? "fail" : "warn";
    const finding = `${who} ${verdict === "fail" ? "has ended" : `ends in ${days} days`}`;
    checks.push({
      name,
      verdict,
      finding,
      advice: "renew it; gateways read new files by themselves",
    });
  }
  if (checks.length > 0) return checks;
  return [{ name, verdict: "ok", finding: `${who} is good for ${days} days`, advice: "" }];
}
