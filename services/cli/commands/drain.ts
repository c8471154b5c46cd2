// `dolium drain`: asks the process of the same settings, on this machine, to leave before it is
// stopped: a gateway ends its connections, a metadata replica gives its leaderships away, a storage
// node takes no new shards. It serves on until somebody stops it. With --wait it is asked only once
// the cluster can do without it.
import { createClock } from "../../lib/host/clock.ts";
import { opsAuthorization, opsToken } from "../../lib/host/ops-token.ts";
import { command, UsageError } from "../command-line.ts";
import type { Config } from "../config-schema.ts";
import { CommandError, ExitCode } from "../exit-code.ts";
import { createOutput } from "../output.ts";
import { readConfig } from "../read-config.ts";

const DEADLINE_S = 60;
const POLL_MS = 1000;
/** For one question; giving leaderships away takes a second a group at most. */
const ANSWER_MS_MAX = 60_000;

export const drainCommand = command({
  name: "drain",
  summary: "Have the process of these settings leave, before it is stopped.",
  positionals: "",
  options: {
    config: {
      kind: "text",
      value: "FILE",
      help: "configuration of the process (JSON); the environment goes before",
    },
    wait: { kind: "flag", help: "first wait until the cluster can do without it" },
    ask: {
      kind: "text",
      value: "URL",
      help: "whom to ask: the operations port of a gateway that goes too (node.beside); its own",
    },
    deadline: {
      kind: "number",
      value: "SECONDS",
      minimum: 0,
      maximum: 3600,
      help: `bound on that wait (${DEADLINE_S}); then it leaves all the same, and this fails`,
    },
    settle: {
      kind: "number",
      value: "SECONDS",
      minimum: 0,
      maximum: 600,
      help: "end only so long after it left, for load balancers to notice (0)",
    },
    json: { kind: "flag", help: "print JSON lines" },
  },
  run: async ({ options }) => {
    const output = createOutput(options.json === true);
    const config = readConfig(options.config);
    const port = new OpsPort(config, options.ask);
    const clock = createClock();
    const endsMs = clock.monotonicMs() + (options.deadline ?? DEADLINE_S) * 1000;
    let reasons = options.wait === true ? await port.objections() : [];
    while (reasons.length > 0 && clock.monotonicMs() < endsMs) {
      output.event({ event: "waiting", reasons });
      output.say(`waiting: ${reasons.join("; ")}`);
      await clock.sleep(POLL_MS);
      reasons = await port.objections();
    }
    await port.leave();
    output.event({ event: "left" });
    output.say("it has left and may be stopped");
    await clock.sleep((options.settle ?? 0) * 1000);
    if (reasons.length === 0) return ExitCode.OK;
    throw new CommandError(ExitCode.UNAVAILABLE, "needed", `needed: ${reasons.join("; ")}`);
  },
});

/** Operations port of the process that has these settings. */
class OpsPort {
  readonly #url: string;
  readonly #asked: string;
  readonly #authorization: string;

  /** Throws UsageError where the settings do not say which port. */
  constructor({ ops, cluster }: Config, asked: string | undefined) {
    if (ops.port === 0) throw new UsageError("ops.port must be set (DOLIUM_OPS__PORT)");
    if (cluster.secret === "") {
      throw new UsageError("cluster.secret must be set (DOLIUM_CLUSTER__SECRET_FILE)");
    }
    this.#url = `http://${reachable(ops.address)}:${ops.port}`;
    this.#asked = (asked ?? this.#url).replace(/\/+$/, "");
    if (!URL.canParse(this.#asked)) throw new UsageError("--ask is no URL");
    this.#authorization = opsAuthorization(opsToken(cluster.secret));
  }

  /** Why the process, and what goes with it, must not be stopped now. */
  async objections(): Promise<readonly string[]> {
    const page = `${this.#asked}/health/cluster?maintenance=true`;
    const { status, body } = await this.#ask("GET", page);
    if (status === 200) return [];
    return reasonsIn(body) ?? [`its operations port answers ${status}`];
  }

  async leave(): Promise<void> {
    const { status } = await this.#ask("POST", `${this.#url}/leave`);
    if (status === 200) return;
    const message = `the process did not leave: its operations port answers ${status}`;
    const isDenied = status === 403;
    throw new CommandError(
      isDenied ? ExitCode.DENIED : ExitCode.FAILED,
      isDenied ? "denied" : "failed",
      isDenied ? `${message}: it has another cluster.secret` : message,
    );
  }

  async #ask(
    method: string,
    url: string,
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    const headers = method === "POST" ? { authorization: this.#authorization } : {};
    const signal = AbortSignal.timeout(ANSWER_MS_MAX);
    try {
      const answer = await fetch(url, { method, headers, signal });
      const text = await answer.text();
      return { status: answer.status, body: text === "" ? undefined : JSON.parse(text) };
    } catch (error) {
      const message = `${url}: no answer`;
      throw new CommandError(ExitCode.UNAVAILABLE, "unavailable", message, { cause: error });
    }
  }
}

/** The token goes to this machine only. */
function reachable(address: string): string {
  if (address === "0.0.0.0" || address === "") return "127.0.0.1";
  if (address === "::" || address === "[::]") return "[::1]";
  return address.includes(":") && !address.startsWith("[") ? `[${address}]` : address;
}

function reasonsIn(body: unknown): readonly string[] | undefined {
  if (typeof body !== "object" || body === null || !("reasons" in body)) return undefined;
  return Array.isArray(body.reasons) ? body.reasons.map(String) : undefined;
}
