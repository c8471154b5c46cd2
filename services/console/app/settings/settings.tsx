// The settings of one bucket, a tab each. Every change is made by S3's own operations, so the
// server checks it as it checks everybody's.
import type { JSX } from "preact";
import { api } from "../api.ts";
import { bytesText, countText, timeText } from "../format.ts";
import { Show, useLoaded } from "../load.tsx";
import { link } from "../state.ts";
import { Tabs } from "../ui.tsx";
import { AccessTab } from "./access-tab.tsx";
import { CorsTab } from "./cors-tab.tsx";
import { LifecycleTab } from "./lifecycle-tab.tsx";
import { QuotaTab } from "./quota-tab.tsx";
import { VersioningTab } from "./versioning-tab.tsx";
import { WebsiteTab } from "./website-tab.tsx";

const TABS = [
  ["access", "Access"],
  ["versioning", "Versioning"],
  ["quota", "Quota"],
  ["lifecycle", "Lifecycle"],
  ["cors", "CORS"],
  ["website", "Web site"],
] as const;

function Tab(props: { readonly bucket: string; readonly tab: string }): JSX.Element {
  const { bucket, tab } = props;
  switch (tab) {
    case "versioning":
      return <VersioningTab bucket={bucket} />;
    case "quota":
      return <QuotaTab bucket={bucket} />;
    case "lifecycle":
      return <LifecycleTab bucket={bucket} />;
    case "cors":
      return <CorsTab bucket={bucket} />;
    case "website":
      return <WebsiteTab bucket={bucket} />;
    default:
      return <AccessTab bucket={bucket} />;
  }
}

export function Settings({ parts }: { readonly parts: readonly string[] }): JSX.Element {
  const [bucket = "", tab = "access"] = parts;
  const loaded = useLoaded(() => api.bucket(bucket), [bucket]);
  return (
    <>
      <div class="head">
        <h1 class="grow">Settings of {bucket}</h1>
        <a class="button" href={link("b", [bucket])}>
          Objects
        </a>
      </div>
      <Show of={loaded}>
        {(facts) => (
          <dl class="facts card">
            <dt>Owner</dt>
            <dd>{facts.owner}</dd>
            <dt>Created</dt>
            <dd>{timeText(facts.createdAt)}</dd>
            <dt>Holds</dt>
            <dd>
              {countText(facts.usage?.objects)} objects, {bytesText(facts.usage?.bytes)}
            </dd>
            <dt>Placement policy</dt>
            <dd>{facts.policy ?? "–"}</dd>
          </dl>
        )}
      </Show>
      <Tabs
        label="Settings"
        tabs={TABS}
        current={tab}
        href={(name) => link("settings", [bucket, name])}
      />
      <Tab key={`${bucket} ${tab}`} bucket={bucket} tab={tab} />
    </>
  );
}
