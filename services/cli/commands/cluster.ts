// `dolium node|layout|repair|scrub|raft ...`: the cluster through the admin API.
import { record } from "../admin-client/admin-client.ts";
import { adminVerb, type Shown, table } from "../admin-client/admin-verb.ts";
import { type Command, type CommandGroup, UsageError, YES_OPTION } from "../command-line.ts";
import { confirm } from "../confirm.ts";
import { garbageVerbs } from "./garbage.ts";

const seg = encodeURIComponent;

function recordsOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  const { items } = record(value);
  return Array.isArray(items) ? items.map(record) : [];
}

function nodeVerb(verb: "drain" | "undrain" | "remove", summary: string): Command {
  return adminVerb({
    name: `node ${verb}`,
    summary,
    positionals: "NAME",
    options: YES_OPTION,
    run: async ({ client, words: [name = ""], options }): Promise<Shown> => {
      const isHarmless = verb === "undrain" || options.yes === true;
      await confirm({ act: `${verb} the node ${name}`, name, yes: isHarmless });
      await client.call("POST", `/cluster/nodes/${seg(name)}/${verb}`);
      return { value: { node: name, done: verb }, lines: [`${verb}: ${name}`] };
    },
  });
}

export const nodeGroup: CommandGroup = {
  name: "node",
  summary: "Nodes: list, drain, undrain, remove.",
  verbs: [
    adminVerb({
      name: "node list",
      summary: "List processes of the cluster and the disks of storage nodes.",
      positionals: "",
      options: {},
      run: async ({ client }) => {
        const value = await client.call("GET", "/cluster/nodes");
        const rows = recordsOf(value).map((node) => {
          const disks = Array.isArray(node.disks) ? node.disks.map(record) : [];
          const states = disks.map((disk) => `${String(disk.diskId)}:${String(disk.state)}`);
          return [node.role, node.name, node.state, node.campus ?? "", node.address, states];
        });
        const head = ["ROLE", "NAME", "STATE", "CAMPUS", "ADDRESS", "DISKS"];
        return { value, lines: table(head, rows) };
      },
    }),
    nodeVerb("drain", "Take a storage node out of placement."),
    nodeVerb("undrain", "Take a draining node back."),
    nodeVerb("remove", "Give a storage node up for good."),
    adminVerb({
      name: "node retry-disk",
      summary: "Try a failed disk again now.",
      positionals: "DISK",
      options: {},
      run: async ({ client, words: [disk = ""] }) => {
        await client.call("POST", `/cluster/disks/${seg(disk)}/retry`);
        return { value: { disk, done: "retry" }, lines: [`disk ${disk} was tried again`] };
      },
    }),
  ],
};

/** "storage-1=draining" */
function changeOf(word: string): { readonly node: string; readonly state: string } {
  const [node = "", state = "", extra] = word.split("=");
  if (node !== "" && state !== "" && extra === undefined) return { node, state };
  throw new UsageError(`"${word}" is no change like storage-1=draining`);
}

function planLines(plan: Readonly<Record<string, unknown>>): string[] {
  const nodes = Array.isArray(plan.nodes) ? plan.nodes.map(record) : [];
  const rows = nodes.map(({ node, bytesIn, bytesOut }) => [node, bytesIn, bytesOut]);
  const problems = Array.isArray(plan.problems) ? plan.problems.map(String) : [];
  return [
    `about ${String(plan.bytesToMove)} bytes move`,
    ...table(["NODE", "BYTES IN", "BYTES OUT"], rows),
    ...problems.map((problem) => `! ${problem}`),
  ];
}

const CHANGES = {
  change: { kind: "list", value: "NODE=STATE", help: "up, draining or out" },
} as const;

export const layoutGroup: CommandGroup = {
  name: "layout",
  summary: "Layout: show it, plan a change, apply it.",
  verbs: [
    adminVerb({
      name: "layout show",
      summary: "Nodes, disks and policies as placement sees them.",
      positionals: "",
      options: {},
      run: async ({ client }) => {
        const value = await client.call("GET", "/cluster/layout");
        return { value, lines: JSON.stringify(value, null, 2).split("\n") };
      },
    }),
    adminVerb({
      name: "layout plan",
      summary: "What would move; nothing happens.",
      positionals: "",
      options: CHANGES,
      run: async ({ client, options }) => {
        const changes = (options.change ?? []).map(changeOf);
        const plan = record(await client.call("POST", "/cluster/layout/plan", { changes }));
        return { value: plan, lines: planLines(plan) };
      },
    }),
    adminVerb({
      name: "layout apply",
      summary: "Change states of nodes, after showing what moves.",
      positionals: "",
      options: { ...CHANGES, ...YES_OPTION },
      run: async ({ client, options, output }) => {
        const changes = (options.change ?? []).map(changeOf);
        const plan = record(await client.call("POST", "/cluster/layout/plan", { changes }));
        for (const line of planLines(plan)) output.say(line);
        await confirm({ act: "Apply this plan", name: "apply", yes: options.yes === true });
        const body = { plan: { epoch: plan.epoch, changes } };
        const value = await client.call("POST", "/cluster/layout/apply", body);
        return { value, lines: ["applied"] };
      },
    }),
  ],
};

export const repairGroup: CommandGroup = {
  name: "repair",
  summary: "Repair: what waits for it.",
  verbs: [
    adminVerb({
      name: "repair status",
      summary: "Chunks that wait for repair.",
      positionals: "",
      options: {},
      run: async ({ client }) => {
        const value = record(await client.call("GET", "/repair"));
        return { value, lines: [`${String(value.waiting)} chunks wait for repair`] };
      },
    }),
    adminVerb({
      name: "repair start",
      summary: "Start repair.",
      positionals: "",
      options: {},
      run: async ({ client }) => ({
        value: await client.call("POST", "/repair/start"),
        lines: ["started"],
      }),
    }),
    ...garbageVerbs,
  ],
};

export const scrubGroup: CommandGroup = {
  name: "scrub",
  summary: "Scrubbing: passes over each disk, and what they found.",
  verbs: [
    adminVerb({
      name: "scrub status",
      summary: "Passes over each disk, and shards found corrupt.",
      positionals: "",
      options: {},
      run: async ({ client }) => {
        const value = await client.call("GET", "/scrub");
        const rows = recordsOf(value).map((disk) => [
          disk.node,
          disk.diskId,
          disk.state,
          disk.scrubPasses,
          disk.corruptShards,
          disk.shardCount,
        ]);
        const head = ["NODE", "DISK", "STATE", "PASSES", "CORRUPT", "SHARDS"];
        return { value, lines: table(head, rows) };
      },
    }),
  ],
};

export const raftGroup: CommandGroup = {
  name: "raft",
  summary: "Raft groups: leaders, replicas, transfer of the lead.",
  verbs: [
    adminVerb({
      name: "raft status",
      summary: "Groups with their leaders and replicas.",
      positionals: "",
      options: {},
      run: async ({ client }) => {
        const value = await client.call("GET", "/raft");
        const rows = recordsOf(value).map((group) => {
          const replicas = Array.isArray(group.replicas) ? group.replicas.map(record) : [];
          const shown = replicas.map((one) => `${String(one.name)}@${String(one.appliedIndex)}`);
          return [group.groupId, group.leader, group.term, group.commitIndex, shown];
        });
        return { value, lines: table(["GROUP", "LEADER", "TERM", "COMMIT", "REPLICAS"], rows) };
      },
    }),
    adminVerb({
      name: "raft transfer",
      summary: "Hand the lead of a group to another replica.",
      positionals: "GROUP REPLICA",
      options: {},
      run: async ({ client, words: [group = "", to = ""] }) => ({
        value: await client.call("POST", `/raft/${seg(group)}/transfer`, { to }),
        lines: ["handed over"],
      }),
    }),
  ],
};
