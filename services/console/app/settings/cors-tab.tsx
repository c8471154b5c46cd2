// Which web pages of other origins may use a bucket from a browser.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useLoaded } from "../load.tsx";
import { children, escapeXml } from "../s3.ts";
import { tell } from "../state.ts";
import { Button, Check, Field } from "../ui.tsx";
import { loadRules, type RuleDocument, saveRules } from "./rule-documents.ts";
import { RulesCard } from "./rules-card.tsx";

const KIND: RuleDocument = { setting: "cors", root: "CORSConfiguration", rule: "CORSRule" };
const METHODS = ["GET", "PUT", "POST", "DELETE", "HEAD"] as const;

function texts(rule: Element, name: string): string[] {
  return children(rule, name).map((element) => element.textContent ?? "");
}

function describe(rule: Element): string {
  const methods = texts(rule, "AllowedMethod").join(", ");
  return `${texts(rule, "AllowedOrigin").join(", ")} may ${methods}`;
}

function lines(text: string, name: string): string {
  return text
    .split(/[\s,]+/)
    .filter((one) => one !== "")
    .map((one) => `<${name}>${escapeXml(one)}</${name}>`)
    .join("");
}

export function CorsTab({ bucket }: { readonly bucket: string }): JSX.Element {
  const loaded = useLoaded(() => loadRules(bucket, KIND), [bucket]);
  const origins = useSignal("");
  const headers = useSignal("*");
  const methods = useSignal<ReadonlySet<string>>(new Set(["GET", "HEAD"]));
  const add = async (): Promise<void> => {
    const chosen = METHODS.filter((method) => methods.value.has(method)).join(" ");
    const rule = [
      "<CORSRule>",
      lines(origins.value, "AllowedOrigin"),
      lines(chosen, "AllowedMethod"),
      lines(headers.value, "AllowedHeader"),
      "<ExposeHeader>ETag</ExposeHeader></CORSRule>",
    ].join("");
    await saveRules(bucket, KIND, [...(loaded.value.value?.rules ?? []), rule]);
    tell("Rule added");
    origins.value = "";
    await loaded.again();
  };
  return (
    <RulesCard bucket={bucket} title="CORS" kind={KIND} loaded={loaded} describe={describe}>
      <h3>New rule</h3>
      <Field
        label="Origins"
        hint="https://app.example.org; several with spaces between"
        value={origins.value}
        onInput={(value) => {
          origins.value = value;
        }}
      />
      <Field
        label="Headers"
        value={headers.value}
        onInput={(value) => {
          headers.value = value;
        }}
      />
      <fieldset class="row">
        <legend>Methods</legend>
        {METHODS.map((method) => (
          <Check
            key={method}
            label={method}
            checked={methods.value.has(method)}
            onChange={(checked) => {
              const next = new Set(methods.value);
              if (checked) next.add(method);
              else next.delete(method);
              methods.value = next;
            }}
          />
        ))}
      </fieldset>
      <div class="actions">
        <Button kind="main" onClick={add}>
          Add rule
        </Button>
      </div>
    </RulesCard>
  );
}
