// The cluster at a glance: what may fail now, in words; every campus as a box, every node and disk
// as a cell by its state; repair and scrubbing; draining a node, with what would move told first.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { api } from "../api.ts";
import type { ClusterView, DiskView, NodeView } from "../api-types.ts";
import { bytesText, countText } from "../format.ts";
import { Show, useLoaded } from "../load.tsx";
import { attempt } from "../state.ts";
import { Button } from "../ui.tsx";
import { DrainDialog } from "./drain-dialog.tsx";
import { Links } from "./links.tsx";
import { Work } from "./work.tsx";

const REFRESH_MS = 4000;
const TONES: Readonly<Record<string, string>> = {
  up: "good",
  leader: "good",
  follower: "good",
  ready: "good",
  serving: "good",
  suspect: "warn",
  draining: "warn",
  "read-only": "warn",
  out: "idle",
};

/** By meaning; the state stands there in words too, so colour says nothing alone. */
function tone(state: string): string {
  return TONES[state] ?? "bad";
}

function DiskCell({ disk }: { readonly disk: DiskView }): JSX.Element {
  const size = disk.sizeBytes ?? 0;
  const used = size > 0 ? `${Math.round(100 - ((disk.freeBytes ?? 0) / size) * 100)} %` : "–";
  const corrupt = disk.corruptShards ?? 0;
  return (
    <li
      class={`cell ${corrupt > 0 ? "bad" : tone(disk.state)}`}
      title={`${countText(disk.shardCount)} shards, ${bytesText(disk.freeBytes)} free`}
    >
      <strong>{disk.diskId}</strong>
      <br />
      {disk.state === "up" ? used : disk.state}
      {corrupt > 0 ? (
        <>
          <br />
          {corrupt} bad
        </>
      ) : null}
    </li>
  );
}

function NodeBox(props: {
  readonly node: NodeView;
  readonly leads: readonly number[];
  readonly onDrain: () => void;
  readonly onBack: () => Promise<unknown>;
}): JSX.Element {
  const { node, leads } = props;
  return (
    <article class="node" aria-label={node.name}>
      <header>
        <h3 class="grow">{node.name}</h3>
        {leads.length > 0 ? <span class="pill good">leads {leads.join(", ")}</span> : null}
        <span class={`pill ${tone(node.state)}`}>{node.state}</span>
        {node.role === "storage" && node.state === "up" ? (
          <Button label={`Drain ${node.name}`} onClick={props.onDrain}>
            Drain
          </Button>
        ) : null}
        {node.role === "storage" && node.state === "draining" ? (
          <Button label={`Take back ${node.name}`} onClick={props.onBack}>
            Take back
          </Button>
        ) : null}
      </header>
      {(node.disks?.length ?? 0) > 0 ? (
        <ul class="cells" aria-label={`Disks of ${node.name}`}>
          {node.disks?.map((disk) => (
            <DiskCell key={disk.diskId} disk={disk} />
          ))}
        </ul>
      ) : null}
    </article>
  );
}

function campusesOf(nodes: readonly NodeView[]): readonly (readonly [string, NodeView[]])[] {
  const campuses = new Map<string, NodeView[]>();
  for (const node of nodes) {
    const name = node.role === "storage" ? (node.campus ?? "") || "storage" : "services";
    campuses.set(name, [...(campuses.get(name) ?? []), node]);
  }
  return [...campuses];
}

function leadsOf(view: ClusterView, name: string): number[] {
  const groups = view.groups ?? [];
  return groups.filter((group) => group.leader === name).map((group) => group.groupId);
}

function View(props: {
  readonly view: ClusterView;
  readonly most: number;
  readonly onDrain: (node: string) => void;
  readonly again: () => Promise<void>;
}): JSX.Element {
  const { view } = props;
  return (
    <>
      <section class="card" aria-label="Health">
        <p class={`sentence ${view.healthy ? "good-note" : "warning"}`}>{view.summary}</p>
        {(view.problems ?? []).map((problem) => (
          <p key={problem} class="failure">
            {problem}
          </p>
        ))}
      </section>
      <div class="campuses">
        {campusesOf(view.nodes).map(([campus, nodes]) => (
          <section key={campus} class="campus" aria-label={campus}>
            <h2>{campus}</h2>
            {nodes.map((node) => (
              <NodeBox
                key={node.name}
                node={node}
                leads={leadsOf(view, node.name)}
                onDrain={() => props.onDrain(node.name)}
                onBack={async () => {
                  await attempt(() => api.undrain(node.name), `${node.name} is back`);
                  await props.again();
                }}
              />
            ))}
          </section>
        ))}
      </div>
      <Links links={view.links ?? []} />
      <Work view={view} most={props.most} />
    </>
  );
}

export function Cluster(): JSX.Element {
  // The bar of repair counts down from the most that was seen.
  const most = useSignal(0);
  const draining = useSignal("");
  const loaded = useLoaded(
    async () => {
      const view = await api.cluster();
      const { chunksWaitingForRepair = 0, shardsOwed = 0 } = view.durability ?? {};
      most.value = Math.max(most.value, chunksWaitingForRepair + shardsOwed);
      return view;
    },
    [],
    REFRESH_MS,
  );
  return (
    <>
      <div class="head">
        <h1 class="grow">Cluster</h1>
      </div>
      <Show of={loaded}>
        {(view) => (
          <View
            view={view}
            most={most.value}
            again={loaded.again}
            onDrain={(node) => {
              draining.value = node;
            }}
          />
        )}
      </Show>
      {draining.value === "" ? null : (
        <DrainDialog
          node={draining.value}
          onDone={loaded.again}
          onClose={() => {
            draining.value = "";
          }}
        />
      )}
    </>
  );
}
