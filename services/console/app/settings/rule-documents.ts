// Settings that are a list of rules. Rules are taken out and added one by one; those that a form
// cannot show are left word by word as they were.
import { children, deleteSetting, getSetting, parseXml, putSetting } from "../s3.ts";

export interface RuleDocument {
  /** Name of the sub-resource: "lifecycle", "cors". */
  readonly setting: string;
  readonly root: string;
  readonly rule: string;
}

export interface Rules {
  readonly text: string;
  readonly rules: readonly Element[];
}

export async function loadRules(bucket: string, kind: RuleDocument): Promise<Rules> {
  const text = (await getSetting(bucket, kind.setting)) ?? "";
  return { text, rules: text === "" ? [] : children(parseXml(text), kind.rule) };
}

/** Writes `rules`, each an element or text of ours; without any, the setting goes. */
export async function saveRules(
  bucket: string,
  kind: RuleDocument,
  rules: readonly (Element | string)[],
): Promise<void> {
  if (rules.length === 0) {
    await deleteSetting(bucket, kind.setting);
    return;
  }
  const serializer = new XMLSerializer();
  const texts = rules.map((rule) =>
    typeof rule === "string"
      ? rule
      : serializer.serializeToString(rule).replace(/ xmlns="[^"]*"/, ""),
  );
  await putSetting(bucket, kind.setting, `<${kind.root}>${texts.join("")}</${kind.root}>`);
}

/** Text of the first element of that name anywhere below. */
export function deep(element: Element, name: string): string {
  return element.getElementsByTagNameNS("*", name)[0]?.textContent ?? "";
}
