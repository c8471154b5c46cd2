// Rules by which objects, old versions and unfinished uploads go by themselves.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useLoaded } from "../load.tsx";
import { child, children, escapeXml } from "../s3.ts";
import { tell } from "../state.ts";
import { Button, Field } from "../ui.tsx";
import { deep, loadRules, type RuleDocument, saveRules } from "./rule-documents.ts";
import { RulesCard } from "./rules-card.tsx";

const KIND: RuleDocument = { setting: "lifecycle", root: "LifecycleConfiguration", rule: "Rule" };

function daysOf(rule: Element, name: string, days: string): string {
  const [element] = children(rule, name);
  return element === undefined ? "" : child(element, days);
}

function describe(rule: Element): string {
  const prefix = deep(rule, "Prefix");
  const expire = daysOf(rule, "Expiration", "Days");
  const old = daysOf(rule, "NoncurrentVersionExpiration", "NoncurrentDays");
  const uploads = daysOf(rule, "AbortIncompleteMultipartUpload", "DaysAfterInitiation");
  const acts = [
    expire && `objects go after ${expire} days`,
    old && `old versions go after ${old} days`,
    uploads && `unfinished uploads go after ${uploads} days`,
  ].filter((text) => text !== "");
  const name = child(rule, "ID") || "rule";
  const state = child(rule, "Status") === "Enabled" ? "" : " (off)";
  const where = prefix === "" ? "everywhere" : `below ${prefix}`;
  return `${name}${state}: ${where}; ${acts.length > 0 ? acts.join(", ") : "see the XML"}`;
}

interface Wanted {
  readonly prefix: string;
  readonly days: string;
  readonly oldDays: string;
  readonly uploadDays: string;
}

function ruleText(wanted: Wanted): string {
  const { prefix, days, oldDays, uploadDays } = wanted;
  if (days === "" && oldDays === "" && uploadDays === "") throw new Error("Give a number of days.");
  const old = `<NoncurrentDays>${escapeXml(oldDays)}</NoncurrentDays>`;
  const uploads = `<DaysAfterInitiation>${escapeXml(uploadDays)}</DaysAfterInitiation>`;
  return [
    `<Rule><ID>console-${Date.now().toString(36)}</ID>`,
    `<Filter><Prefix>${escapeXml(prefix)}</Prefix></Filter><Status>Enabled</Status>`,
    days && `<Expiration><Days>${escapeXml(days)}</Days></Expiration>`,
    oldDays && `<NoncurrentVersionExpiration>${old}</NoncurrentVersionExpiration>`,
    uploadDays && `<AbortIncompleteMultipartUpload>${uploads}</AbortIncompleteMultipartUpload>`,
    "</Rule>",
  ].join("");
}

const EMPTY: Wanted = { prefix: "", days: "", oldDays: "", uploadDays: "" };

export function LifecycleTab({ bucket }: { readonly bucket: string }): JSX.Element {
  const loaded = useLoaded(() => loadRules(bucket, KIND), [bucket]);
  const wanted = useSignal<Wanted>(EMPTY);
  const field = (label: string, name: keyof Wanted, type: "text" | "number"): JSX.Element => (
    <Field
      label={label}
      type={type}
      value={wanted.value[name]}
      onInput={(value) => {
        wanted.value = { ...wanted.value, [name]: value };
      }}
    />
  );
  const add = async (): Promise<void> => {
    const rules = loaded.value.value?.rules ?? [];
    await saveRules(bucket, KIND, [...rules, ruleText(wanted.value)]);
    tell("Rule added");
    wanted.value = EMPTY;
    await loaded.again();
  };
  return (
    <RulesCard bucket={bucket} title="Lifecycle" kind={KIND} loaded={loaded} describe={describe}>
      <h3>New rule</h3>
      {field("Names beginning with (empty: all)", "prefix", "text")}
      {field("Delete objects after days", "days", "number")}
      {field("Delete old versions after days", "oldDays", "number")}
      {field("Give up unfinished uploads after days", "uploadDays", "number")}
      <div class="actions">
        <Button kind="main" onClick={add}>
          Add rule
        </Button>
      </div>
    </RulesCard>
  );
}
