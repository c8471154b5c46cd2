// The list of a setting's rules with a form for one more, and the whole as text below.
import type { ComponentChildren, JSX } from "preact";
import { type Loaded, Show } from "../load.tsx";
import { deleteSetting, putSetting } from "../s3.ts";
import { attempt } from "../state.ts";
import { Button } from "../ui.tsx";
import { DocumentEditor } from "./document-editor.tsx";
import { type RuleDocument, type Rules, saveRules } from "./rule-documents.ts";

export function RulesCard(props: {
  readonly bucket: string;
  readonly title: string;
  readonly kind: RuleDocument;
  readonly loaded: Loaded<Rules>;
  readonly describe: (rule: Element) => string;
  readonly children: ComponentChildren;
}): JSX.Element {
  const { bucket, kind, loaded } = props;
  return (
    <Show of={loaded}>
      {(found) => (
        <>
          <section class="card">
            <h2>{props.title}</h2>
            {found.rules.length === 0 ? <p class="soft">No rules.</p> : null}
            <table>
              <caption class="hidden">Rules</caption>
              <tbody>
                {found.rules.map((rule, at) => (
                  <tr key={rule.outerHTML}>
                    <td>{props.describe(rule)}</td>
                    <td class="end">
                      <Button
                        kind="bad"
                        label={`Remove rule ${at + 1}`}
                        onClick={async () => {
                          const others = found.rules.filter((one) => one !== rule);
                          await attempt(() => saveRules(bucket, kind, others), "Rule removed");
                          await loaded.again();
                        }}
                      >
                        Remove
                      </Button>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
            {props.children}
          </section>
          <section class="card">
            <h2>As XML</h2>
            <DocumentEditor
              key={found.text}
              label={`${kind.root} (XML)`}
              text={found.text}
              onSave={async (text) => {
                await putSetting(bucket, kind.setting, text);
                await loaded.again();
              }}
              onDelete={async () => {
                await deleteSetting(bucket, kind.setting);
                await loaded.again();
              }}
            />
          </section>
        </>
      )}
    </Show>
  );
}
