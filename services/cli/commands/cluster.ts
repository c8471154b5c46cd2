// `dolium node|layout|repair|scrub ...`: the cluster through the admin API.
import { type AdminClient, record, recordsOf } from "../admin-client/admin-client.ts";
import { adminVerb, type Shown, table } from "../admin-client/admin-verb.ts";
import { type Command, type CommandGroup, UsageError, YES_OPTION } from "../command-line.ts";
import { confirm } from "../confirm.ts";
import type { Output } from "../output.ts";
import { garbageVerbs } from "./garbage.ts";

const seg = encodeURIComponent;

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
  summary: "Nodes: list, drain, undrain, replace, remove.",
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
          return [node.role, node.name, stateOf(node), node.campus ?? "", node.address, states];
        });
        const head = ["ROLE", "NAME", "STATE", "CAMPUS", "ADDRESS", "DISKS"];
        return { value, lines: table(head, rows) };
      },
    }),
    nodeVerb("drain", "Take a storage node out of placement."),
    nodeVerb("undrain", "Take a draining node back."),
    adminVerb({
      name: "node replace",
      summary: "Let a new storage node take the place of an old one; nothing else moves.",
      positionals: "OLD NEW",
      options: YES_OPTION,
      run: async ({ client, words: [old = "", node = ""], options, output }) => {
        const asked = { changes: [{ node, replaces: old }] };
        return applied({ client, output }, { asked, yes: options.yes === true });
      },
    }),
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

/** A node that is being emptied says how far that is. */
function stateOf({ state, removed, drained, shardsLeft }: Readonly<Record<string, unknown>>) {
  if (removed === true) return "removed";
  if (drained === true) return "drained";
  return typeof shardsLeft === "number" ? `${String(state)} (${shardsLeft} shards left)` : state;
}

/** "storage-1=draining", "storage-1=50%", "disk:7=0%", "storage-9=replaces:storage-3" */
function changeOf(word: string): Readonly<Record<string, string | number>> {
  const [name = "", what = "", extra] = word.split("=");
  const [, disk] = /^disk:([0-9]{1,9})$/.exec(name) ?? [];
  const target = disk === undefined ? { node: name } : { disk: Number(disk) };
  if (name !== "" && what !== "" && extra === undefined) {
    const [, percent] = /^([0-9]{1,4})%$/.exec(what) ?? [];
    if (percent !== undefined) return { ...target, weightPercent: Number(percent) };
    if (what.startsWith("replaces:")) return { ...target, replaces: what.slice(9) };
    if (disk === undefined) return { node: name, state: what };
  }
  throw new UsageError(
    `"${word}" is no change like storage-1=draining, storage-1=50%, disk:7=50% or ` +
      "storage-9=replaces:storage-3",
  );
}

function changeLine(change: Readonly<Record<string, unknown>>): string {
  const { node, disk, state, weightPercent, replaces } = change;
  const what = node === undefined ? `disk:${String(disk)}` : String(node);
  if (state !== undefined) return `${what}=${String(state)}`;
  if (weightPercent !== undefined) return `${what}=${String(weightPercent)}%`;
  return replaces === "" ? `${what} gives its place back` : `${what}=replaces:${String(replaces)}`;
}

function planLines(plan: Readonly<Record<string, unknown>>): string[] {
  const nodes = Array.isArray(plan.nodes) ? plan.nodes.map(record) : [];
  const rows = nodes.map(({ node, bytesIn, bytesOut }) => [node, bytesIn, bytesOut]);
  const problems = Array.isArray(plan.problems) ? plan.problems.map(String) : [];
  const changes = Array.isArray(plan.changes) ? plan.changes.map(record) : [];
  return [
    ...changes.map(changeLine),
    `about ${String(plan.bytesToMove)} bytes move`,
    ...table(["NODE", "BYTES IN", "BYTES OUT"], rows),
    ...problems.map((problem) => `! ${problem}`),
  ];
}

const CHANGES = {
  change: {
    kind: "list",
    value: "CHANGE",
    help: "NODE=up|draining|out, NODE=50%, disk:ID=50%, NEW=replaces:OLD",
  },
} as const;

/** Shows a plan, asks, and does it. */
async function applied(
  { client, output }: { readonly client: AdminClient; readonly output: Output },
  { asked, yes }: { readonly asked: object; readonly yes: boolean },
): Promise<Shown> {
  const plan = record(await client.call("POST", "/cluster/layout/plan", asked));
  for (const line of planLines(plan)) output.say(line);
  await confirm({ act: "Apply this plan", name: "apply", yes });
  const body = { plan: { epoch: plan.epoch, changes: plan.changes } };
  const value = await client.call("POST", "/cluster/layout/apply", body);
  return { value, lines: ["applied"] };
}

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
      summary: "Change states, weights and places of nodes, after showing what moves.",
      positionals: "",
      options: { ...CHANGES, ...YES_OPTION },
      run: async ({ client, options, output }) => {
        const asked = { changes: (options.change ?? []).map(changeOf) };
        return applied({ client, output }, { asked, yes: options.yes === true });
      },
    }),
    adminVerb({
      name: "layout revert",
      summary: "Go back to the layout before its last change, after showing what moves.",
      positionals: "",
      options: YES_OPTION,
      run: async ({ client, options, output }) =>
        applied({ client, output }, { asked: { revert: true }, yes: options.yes === true }),
    }),
  ],
};

function repairLines(value: Readonly<Record<string, unknown>>): string[] {
  const margins = Object.entries(record(value.byMargin ?? {}));
  const { asked, done } = record(value.repairPass ?? {});
  const rebalance = value.rebalance === null ? undefined : record(value.rebalance ?? {});
  return [
    `${String(value.waiting)} chunks wait for repair`,
    ...margins.map(([margin, count]) => `  ${String(count)} may lose ${margin} more shards`),
    ...(asked === done ? [] : ["a pass that was asked for is under way"]),
    ...(rebalance === undefined
      ? []
      : [
          `rebalancing: ${String(rebalance.phase)}, ${String(rebalance.remainingShards)} shards ` +
            `(${String(rebalance.remainingBytes)} bytes) to move`,
        ]),
  ];
}

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
        return { value, lines: repairLines(value) };
      },
    }),
    adminVerb({
      name: "repair start",
      summary: "Begin a pass of repair now.",
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
          `${Math.floor(Number(disk.scrubProgressRatio ?? 0) * 100)} %`,
          disk.scrubPasses,
          timeText(disk.scrubCompletedMs),
          disk.corruptShards,
          disk.shardCount,
        ]);
        const head = ["NODE", "DISK", "STATE", "READ", "PASSES", "LAST ENDED", "CORRUPT", "SHARDS"];
        return { value, lines: table(head, rows) };
      },
    }),
    adminVerb({
      name: "scrub start",
      summary: "Begin a pass over every disk now.",
      positionals: "",
      options: {},
      run: async ({ client }) => ({
        value: await client.call("POST", "/scrub/start"),
        lines: ["started"],
      }),
    }),
  ],
};

function timeText(ms: unknown): string {
  return typeof ms === "number" && ms > 0 ? new Date(ms).toISOString() : "never";
}
