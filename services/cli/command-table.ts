// Every command of `dolium`, in the order of the help page. A command's code is loaded when it is
// called for; the help and the completion scripts come from this table.
import type { Command, CommandGroup } from "./command-line.ts";

export type CommandEntry = Command | CommandGroup;

export interface CommandRow {
  readonly name: string;
  readonly load: () => Promise<CommandEntry>;
}

type Module = () => Promise<readonly CommandEntry[]>;

const roles: Module = async () => (await import("./commands/role.ts")).ROLE_COMMANDS;

const objects: Module = async () => (await import("./objects/commands.ts")).OBJECT_COMMANDS;
const OBJECT_VERBS = "ls cp mv rm cat stat tree du sync share mb rb find".split(" ");

const cluster: Module = async () => {
  const groups = await import("./commands/cluster.ts");
  const { nodeGroup, layoutGroup, repairGroup, scrubGroup } = groups;
  return [nodeGroup, layoutGroup, repairGroup, scrubGroup];
};
const watch: Module = async () => {
  const commands = await import("./commands/watch.ts");
  const { traceCommand, eventsCommand, topCommand, supportGroup } = commands;
  return [traceCommand, eventsCommand, topCommand, supportGroup];
};

const MODULES: readonly (readonly [Module, readonly string[]])[] = [
  [async () => [(await import("./commands/dev.ts")).devCommand], ["dev"]],
  [async () => [(await import("./commands/server.ts")).serverCommand], ["server"]],
  [async () => [(await import("./commands/status.ts")).statusCommand], ["status"]],
  [async () => [(await import("./commands/kms.ts")).kmsCommand], ["kms"]],
  [objects, OBJECT_VERBS],
  [async () => [(await import("./commands/user.ts")).userGroup], ["user"]],
  [async () => [(await import("./commands/group.ts")).groupGroup], ["group"]],
  [async () => [(await import("./commands/token.ts")).tokenGroup], ["token"]],
  [async () => [(await import("./commands/policy.ts")).policyGroup], ["policy"]],
  [async () => [(await import("./commands/bucket.ts")).bucketGroup], ["bucket"]],
  [async () => [(await import("./commands/verify.ts")).verifyCommand], ["verify"]],
  [async () => [(await import("./commands/backup.ts")).backupGroup], ["backup"]],
  [cluster, ["node", "layout", "repair", "scrub"]],
  [async () => [(await import("./commands/raft.ts")).raftGroup], ["raft"]],
  [watch, ["trace", "events", "top", "support"]],
  [async () => [(await import("./commands/doctor.ts")).doctorCommand], ["doctor"]],
  [async () => [(await import("./commands/bench.ts")).benchCommand], ["bench"]],
  [async () => [(await import("./commands/migrate.ts")).migrateGroup], ["migrate"]],
  [async () => [(await import("./commands/completion.ts")).completionCommand], ["completion"]],
  [async () => [(await import("./commands/config.ts")).configGroup], ["config"]],
  [async () => [(await import("./commands/certs.ts")).certsGroup], ["certs"]],
  [async () => [(await import("./commands/kubernetes.ts")).kubernetesGroup], ["kubernetes"]],
  [async () => [(await import("./commands/cosi.ts")).cosiCommand], ["cosi"]],
  [async () => [(await import("./commands/drain.ts")).drainCommand], ["drain"]],
  [roles, ["gateway", "metadata", "storage", "keeper"]],
];

export const COMMAND_TABLE: readonly CommandRow[] = MODULES.flatMap(([module, names]) =>
  names.map((name) => ({ name, load: () => pick(module, name) })),
);

async function pick(module: Module, name: string): Promise<CommandEntry> {
  const found = (await module()).find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`the table names a command "${name}" that is not there`);
  return found;
}

export function isGroup(entry: CommandEntry): entry is CommandGroup {
  return "verbs" in entry;
}
