// Completion scripts of shells, made from the words and options of commands. Words are our own
// (letters, digits, dashes), so that nothing of them needs quoting; summaries are quoted for fish.
import { assert } from "../lib/base/assert.ts";

export interface CompletionNode {
  /** ["user", "create"] */
  readonly words: readonly string[];
  readonly summary: string;
  readonly options: readonly string[];
}

const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

export function isShell(text: string): text is Shell {
  return SHELLS.some((shell) => shell === text);
}

export function completionScript(shell: Shell, nodes: readonly CompletionNode[]): string {
  for (const { words, options } of nodes) {
    const plain = [...words, ...options].every((word) => /^[a-z0-9-]+$/.test(word));
    assert(plain, "words of commands need no quoting");
  }
  if (shell === "fish") return fishScript(nodes);
  const script = bashScript(nodes);
  return shell === "bash" ? script : `autoload -U +X bashcompinit && bashcompinit\n${script}`;
}

/** What may follow each sequence of words: the next words, else the options. */
function candidates(nodes: readonly CompletionNode[]): Map<string, Set<string>> {
  const following = new Map<string, Set<string>>([["", new Set()]]);
  const of = (path: string): Set<string> => {
    const known = following.get(path) ?? new Set<string>();
    following.set(path, known);
    return known;
  };
  for (const { words, options } of nodes) {
    for (let at = 0; at < words.length; at += 1) {
      of(words.slice(0, at).join(" ")).add(words[at] ?? "");
    }
    for (const option of options) of(words.join(" ")).add(option);
  }
  return following;
}

function bashScript(nodes: readonly CompletionNode[]): string {
  const cases = [...candidates(nodes)].map(
    ([path, words]) => `    "${path}") words="${[...words].join(" ")}" ;;`,
  );
  return `# Completion of dolium for bash: source <(dolium completion bash)
_dolium() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in
      -*) ;;
      *) _dolium_known "\${path:+$path }$word" && path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
_dolium_known() {
  case "$1" in
    ${[...candidates(nodes).keys()].map((path) => `"${path}"`).join("|")}) return 0 ;;
  esac
  return 1
}
complete -o default -F _dolium dolium
`;
}

function fishScript(nodes: readonly CompletionNode[]): string {
  const lines = ["# Completion of dolium for fish: dolium completion fish | source"];
  for (const { words, summary, options } of nodes) {
    const before = words.slice(0, -1);
    const last = words.at(-1) ?? "";
    const seen = before.map((word) => `__fish_seen_subcommand_from ${word}`);
    const condition = before.length === 0 ? "__fish_use_subcommand" : seen.join("; and ");
    const text = summary.replaceAll("\\", "\\\\").replaceAll("'", "\\'");
    lines.push(`complete -c dolium -f -n '${condition}' -a '${last}' -d '${text}'`);
    const all = words.map((word) => `__fish_seen_subcommand_from ${word}`).join("; and ");
    for (const option of options) {
      lines.push(`complete -c dolium -n '${all}' -l '${option.slice(2)}'`);
    }
  }
  return `${lines.join("\n")}\n`;
}
