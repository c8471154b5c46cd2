// `dolium doctor`: looks from this machine at every address of the endpoints (clocks, round robin,
// certificates), then asks a gateway what it sees of the cluster. Everything is looked at, whatever
// else is wrong. Exit code 0 when nothing fails (warnings do not, but with --strict), 1 when
// something does, 4 and 5 when the admin API refuses or does not answer.
import { resolve } from "node:path";
import process from "node:process";
import { AdminClient, record } from "../admin-client/admin-client.ts";
import { ADMIN_OPTIONS, table } from "../admin-client/admin-verb.ts";
import { type AdminConnection, adminConnection } from "../admin-client/connection.ts";
import { command } from "../command-line.ts";
import { readPlan } from "../dev/cluster-file.ts";
import { localGateways } from "../dev/local-address.ts";
import { addressesOf, probe } from "../doctor/probe.ts";
import { type Check, type EndpointFacts, endpointChecks } from "../doctor/verdicts.ts";
import { ExitCode, failureOf } from "../exit-code.ts";
import { CONNECTION_OPTIONS, planConnection } from "../objects/connection.ts";
import { shown } from "../objects/shown-text.ts";
import { createOutput } from "../output.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const { endpoint, profile, region } = CONNECTION_OPTIONS;

interface DoctorOptions {
  readonly endpoint?: string;
  readonly profile?: string;
  readonly region?: string;
  readonly "admin-url"?: string;
  readonly data?: string;
}

export const doctorCommand = command({
  name: "doctor",
  summary: "Check clocks, names, certificates and the cluster. Exit code 1 when something fails.",
  positionals: "",
  options: {
    ...ADMIN_OPTIONS,
    endpoint,
    profile,
    region,
    strict: { kind: "flag", help: "warnings count as failures" },
  },
  run: async ({ options }) => {
    const output = createOutput(options.json === true, options.quiet === true);
    const { data } = options;
    const environment =
      data === undefined ? process.env : { ...process.env, DOLIUM_DATA: resolve(data) };
    const admin = await adminConnection(options, environment);
    const checks = await endpointsChecked(endpointsOf(options, environment, admin), admin);
    const cluster = await clusterChecks(admin);
    checks.push(...cluster.checks);
    const worst = (verdict: Check["verdict"]): boolean =>
      checks.some((check) => check.verdict === verdict);
    const ok = !worst("fail") && !(options.strict === true && worst("warn"));
    output.event({ ok, checks });
    const rows = checks.map(({ verdict, name, finding, advice }) => {
      return [verdict, name, shown(advice === "" ? finding : `${finding}: ${advice}`)];
    });
    for (const line of table(["", "CHECK", "FINDING"], rows)) output.say(line);
    if (cluster.exitCode !== ExitCode.OK) return cluster.exitCode;
    return ok ? ExitCode.OK : ExitCode.FAILED;
  },
});

interface Endpoint {
  readonly url: string;
  readonly isS3: boolean;
}

/** The S3 endpoint that is named, else every gateway of the local cluster; and the admin API. */
function endpointsOf(
  options: DoctorOptions,
  environment: Environment,
  admin: AdminConnection,
): Endpoint[] {
  const plan = planConnection(options, environment);
  const local = readPlan(resolve(environment.DOLIUM_DATA || "data"));
  const gateways = local === undefined ? [] : localGateways(local);
  const isLocal = plan.endpoint !== undefined && gateways.includes(plan.endpoint);
  const named = isLocal ? gateways : plan.endpoint === undefined ? [] : [plan.endpoint];
  return [...named.map((url) => ({ url, isS3: true })), { url: admin.url, isS3: false }];
}

async function endpointsChecked(
  endpoints: readonly Endpoint[],
  { keys }: AdminConnection,
): Promise<Check[]> {
  const checks: Check[] = [];
  for (const { url, isS3 } of endpoints) {
    const parsed = new URL(url);
    const facts = await factsOf(parsed, async (address) =>
      probe(parsed, address, isS3 ? keys : undefined),
    );
    checks.push(...endpointChecks({ url, isS3, ...facts }, Date.now()));
  }
  return checks;
}

async function factsOf(
  url: URL,
  ask: (address: string) => Promise<EndpointFacts["probes"][number]>,
): Promise<Pick<EndpointFacts, "probes" | "failure">> {
  let addresses: string[];
  try {
    addresses = await addressesOf(url);
  } catch (error) {
    return { probes: [], failure: error instanceof Error ? error.message : String(error) };
  }
  const probes: EndpointFacts["probes"][number][] = [];
  for (const address of addresses) probes.push(await ask(address));
  return { probes };
}

async function clusterChecks(
  connection: AdminConnection,
): Promise<{ readonly checks: readonly Check[]; readonly exitCode: ExitCode }> {
  try {
    const answer = record(await new AdminClient(connection).call("GET", "/doctor"));
    const checks = Array.isArray(answer.checks) ? answer.checks.map(checkOf) : [];
    return { checks, exitCode: ExitCode.OK };
  } catch (error) {
    const { message, exitCode } = failureOf(error);
    const finding = `the admin API cannot be asked: ${message}`;
    const advice = "see the lines above, the keys and DOLIUM_ADMIN_URL";
    return { checks: [{ name: "admin API", verdict: "fail", finding, advice }], exitCode };
  }
}

/** A gateway of an older release tells no more than whether it is well. */
function checkOf(value: unknown): Check {
  const { name, ok, verdict, finding, advice } = record(value);
  const known = verdict === "ok" || verdict === "warn" || verdict === "fail" ? verdict : undefined;
  return {
    name: String(name),
    verdict: known ?? (ok === true ? "ok" : "fail"),
    finding: String(finding),
    advice: typeof advice === "string" ? advice : "",
  };
}
