// Reads what stands in the rule files, as far as tests ask: names, expressions, runbooks. The files
// are ours and plain, so lines are enough; promtool checks that they are YAML.
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const DEPLOY = join(import.meta.dirname, "../../deploy");
export const RULE_FILES = ["recording.yaml", "alerts.yaml"].map((name) =>
  join(DEPLOY, "prometheus", name),
);

export interface Rule {
  readonly kind: "alert" | "record";
  readonly name: string;
  readonly text: string;
}

export function rulesOf(path: string): readonly Rule[] {
  const parts = readFileSync(path, "utf8").split(/^ {6}- (?=alert:|record:)/m);
  return parts.slice(1).map((text) => {
    const [, kind, name] = /^(alert|record): (\S+)/.exec(text) ?? [];
    if (name === undefined) throw new Error(`not a rule: ${text}`);
    return { kind: kind === "alert" ? "alert" : "record", name, text };
  });
}
