// A cluster of containers on a network of its own: three metadata replicas, six storage nodes, two
// gateways and a keeper, each a container with a volume, hardened as in the compose files.
import { randomBytes } from "node:crypto";
import { lookup as lookupAddress } from "node:dns";
import { Agent, type AgentOptions } from "node:http";
import type { LookupFunction } from "node:net";
import { S3Client } from "@aws-sdk/client-s3";
import { mapBounded } from "../../services/lib/base/bounded.ts";
import { eventually } from "../support/eventually.ts";
import { addressOf, docker, drawName } from "./docker.ts";

const PATIENCE_MS = 180_000;
const ANSWER_MS_MAX = 30_000;
const STARTS_AT_ONCE = 4;
const SERVICE_NAME = "s3.dolium.test";
const KEYS = { accessKeyId: "containers", secretAccessKey: randomBytes(12).toString("hex") };

export type Role = "metadata" | "storage" | "gateway" | "keeper";

export interface Member {
  readonly name: string;
  readonly role: Role;
}

const COUNTS: readonly (readonly [Role, number])[] = [
  ["metadata", 3],
  ["storage", 6],
  ["gateway", 2],
  ["keeper", 1],
];

export const MEMBERS: readonly Member[] = COUNTS.flatMap(([role, count]) =>
  Array.from({ length: count }, (_, at) => ({ name: `${role}-${at + 1}`, role })),
);

export class ContainerCluster {
  readonly network = drawName("network");
  readonly #prefix = drawName("member");
  readonly #secret = randomBytes(32).toString("hex");
  readonly #key = randomBytes(32).toString("hex");
  readonly #clients: S3Client[] = [];
  #gateways: readonly string[] = [];

  /** Resolves when every member is ready. */
  async start(image: string): Promise<void> {
    await docker("network", "create", this.network);
    await mapBounded(MEMBERS, STARTS_AT_ONCE, (member) => this.#run(member, image));
    await mapBounded(MEMBERS, STARTS_AT_ONCE, (member) => this.untilReady(member));
  }

  containerOf({ name }: Member): string {
    return `${this.#prefix}-${name}`;
  }

  /** Asks the health page that orchestrators ask, from outside the container. */
  async untilReady(member: Member): Promise<void> {
    const container = this.containerOf(member);
    let address = "";
    await eventually(`${member.name} is ready`, PATIENCE_MS, async () => {
      // It keeps its address as long as it runs.
      if (address === "") address = await addressOf(container, this.network);
      const { status } = await fetch(`http://${address}:9003/health/ready`, {
        signal: AbortSignal.timeout(5000),
      });
      return status === 200 ? address : undefined;
    });
    if (member.role === "gateway") await this.#learnGateways();
  }

  /** Ends it as orchestrators do, and starts it from `image` on the data it has. */
  async replace(member: Member, image: string): Promise<void> {
    const container = this.containerOf(member);
    await docker("stop", "--time", "60", container);
    const code = await docker("inspect", "--format", "{{.State.ExitCode}}", container);
    if (code !== "0") throw new Error(`${member.name} ended with ${code}`);
    await docker("rm", container);
    await this.#run(member, image);
    await this.untilReady(member);
  }

  /** Cuts it off from all others, and from clients. */
  async disconnect(member: Member): Promise<void> {
    await docker("network", "disconnect", this.network, this.containerOf(member));
  }

  async connect(member: Member): Promise<void> {
    const alias = ["--alias", member.name];
    await docker("network", "connect", ...alias, this.network, this.containerOf(member));
  }

  /**
   * A client of one name that both gateways answer to, as with a round robin of DNS. Tries and
   * waits as the SDK does by itself.
   */
  client(): S3Client {
    const gateways = () => this.#gateways;
    const client = new S3Client({
      endpoint: `http://${SERVICE_NAME}:9000`,
      region: "us-east-1",
      credentials: KEYS,
      forcePathStyle: true,
      // Nobody would tell of a gateway that was cut off in the middle of an answer.
      requestHandler: {
        httpAgent: roundRobinAgent(gateways),
        requestTimeout: ANSWER_MS_MAX,
        throwOnRequestTimeout: true,
      },
    });
    this.#clients.push(client);
    return client;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    const names = MEMBERS.map((member) => this.containerOf(member));
    await docker("rm", "--force", "--volumes", ...names);
    await docker("volume", "rm", "--force", ...names);
    // The daemon lets go of endpoints that were cut off and joined again a little later.
    await eventually("the network is removed", 60_000, async () => {
      await docker("network", "rm", this.network);
      return true;
    });
  }

  async #learnGateways(): Promise<void> {
    const gateways = MEMBERS.filter(({ role }) => role === "gateway");
    const found = gateways.map((one) => addressOf(this.containerOf(one), this.network));
    const settled = await Promise.allSettled(found);
    this.#gateways = settled.flatMap((one) =>
      one.status === "fulfilled" && one.value !== "" ? [one.value] : [],
    );
  }

  async #run(member: Member, image: string): Promise<void> {
    const container = this.containerOf(member);
    const variables = this.#environment(member);
    await docker(
      ...["run", "--detach", "--name", container, "--network", this.network],
      ...["--network-alias", member.name, "--volume", `${container}:/data`],
      ...["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"],
      "--no-healthcheck",
      ...Object.entries(variables).flatMap(([name, value]) => ["--env", `${name}=${value}`]),
      ...[image, member.role],
    );
  }

  #environment(member: Member): Record<string, string> {
    const replicas = MEMBERS.filter(({ role }) => role === "metadata");
    const metadata = replicas.map(({ name }) => ({ name, address: `${name}:9002` }));
    return {
      DOLIUM_NODE__NAME: member.name,
      DOLIUM_RPC__ADVERTISE: `${member.name}:9002`,
      DOLIUM_CLUSTER__ID: this.network,
      DOLIUM_CLUSTER__SECRET: this.#secret,
      DOLIUM_CLUSTER__METADATA: JSON.stringify(metadata),
      DOLIUM_INTERNAL__TLS__ALLOW_PLAIN: "true",
      DOLIUM_ENCRYPTION__CLUSTER_KEY: this.#key,
      DOLIUM_ROOT_USER: KEYS.accessKeyId,
      DOLIUM_ROOT_PASSWORD: KEYS.secretAccessKey,
    };
  }
}

/** Connects to any of the addresses, each first in its turn, and to the next where one refuses. */
function roundRobinAgent(addresses: () => readonly string[]): Agent {
  let turn = 0;
  const lookup: LookupFunction = (host, options, answer) => {
    if (host !== SERVICE_NAME) return lookupAddress(host, options, answer);
    const all = addresses();
    turn += 1;
    const turned = all.map((_, at) => all[(at + turn) % all.length] ?? "");
    const found = turned.map((address) => ({ address, family: 4 }));
    return options.all === true ? answer(null, found) : answer(null, turned[0] ?? "", 4);
  };
  const options: AgentOptions & { lookup: LookupFunction } = {
    keepAlive: true,
    autoSelectFamily: true,
    lookup,
  };
  return new Agent(options);
}
