// `dolium completion bash|zsh|fish`: a script for the shell, made from the command table, so that
// it cannot fall behind it. Prints to stdout; nothing is installed.
import process from "node:process";
import { command, UsageError } from "../command-line.ts";
import { COMMAND_TABLE, isGroup } from "../command-table.ts";
import { type CompletionNode, completionScript, isShell } from "../completion-script.ts";

export const completionCommand = command({
  name: "completion",
  summary: "Print a completion script for bash, zsh or fish.",
  positionals: "bash|zsh|fish",
  options: {},
  run: async ({ positionals }) => {
    const [shell, extra] = positionals;
    if (shell === undefined || extra !== undefined || !isShell(shell)) {
      throw new UsageError("dolium completion wants bash, zsh or fish");
    }
    process.stdout.write(completionScript(shell, await completionNodes()));
    return 0;
  },
});

/** Every command and verb: the words that lead to it, its summary and options. */
export async function completionNodes(): Promise<CompletionNode[]> {
  const nodes: CompletionNode[] = [];
  for (const row of COMMAND_TABLE) {
    const entry = await row.load();
    const commands = isGroup(entry) ? entry.verbs : [entry];
    if (isGroup(entry)) nodes.push({ words: [entry.name], summary: entry.summary, options: [] });
    for (const { name, summary, options } of commands) {
      const long = Object.keys(options).map((option) => `--${option}`);
      nodes.push({ words: name.split(" "), summary, options: [...long, "--help"] });
    }
  }
  return nodes;
}
