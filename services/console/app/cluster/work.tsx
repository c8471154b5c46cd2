// What goes on by itself: repair, with how near to loss anything is, and the check of every disk.
import type { JSX } from "preact";
import type { ClusterView, DiskView } from "../api-types.ts";
import { bytesText, countText, timeText } from "../format.ts";
import { Meter } from "../ui.tsx";

type Durability = NonNullable<ClusterView["durability"]>;

/** In words, the worst first; empty when nothing waits. */
function marginsText({ chunksByMargin = {} }: Durability): string {
  return Object.entries(chunksByMargin)
    .map(([margin, count]) => [Number(margin), count] as const)
    .filter(([, count]) => count > 0)
    .sort(([a], [b]) => a - b)
    .map(([margin, count]) =>
      margin < 0
        ? `${countText(count)} cannot be read now`
        : `${countText(count)} may lose ${margin} more`,
    )
    .join(", ");
}

function scrubText(disks: readonly DiskView[]): string {
  const ended = disks.map((disk) => disk.scrubCompletedMs ?? 0);
  const unseen = ended.filter((ms) => ms === 0).length;
  if (disks.length === 0) return "no disks";
  if (unseen > 0) return `${unseen} of ${disks.length} disks not checked to the end yet`;
  return `every disk was checked since ${timeText(new Date(Math.min(...ended)).toISOString())}`;
}

export function Work(props: { readonly view: ClusterView; readonly most: number }): JSX.Element {
  const { view, most } = props;
  const durability = view.durability ?? {};
  const waiting = (durability.chunksWaitingForRepair ?? 0) + (durability.shardsOwed ?? 0);
  const margins = marginsText(durability);
  const disks = view.nodes.flatMap((node) => node.disks ?? []);
  const done = disks.reduce((sum, disk) => sum + (disk.scrubProgressRatio ?? 0), 0);
  const share = disks.length === 0 ? 0 : done / disks.length;
  const bad = disks.reduce((sum, disk) => sum + (disk.corruptShards ?? 0), 0);
  return (
    <section class="card">
      <h2>Repair and scrubbing</h2>
      <Meter
        label="Repaired"
        value={most === 0 ? 1 : 1 - waiting / most}
        text={waiting === 0 ? "nothing to repair" : `${countText(waiting)} to repair`}
      />
      <Meter
        label="Checked in this pass"
        value={share}
        text={`${Math.floor(share * 100)} % of this pass checked`}
      />
      <dl class="facts">
        {margins === "" ? null : (
          <>
            <dt>Waiting</dt>
            <dd>{margins}</dd>
          </>
        )}
        <dt>Last check</dt>
        <dd>{scrubText(disks)}</dd>
        <dt>Found bad</dt>
        <dd>{countText(bad)} shards</dd>
        <dt>Objects</dt>
        <dd>{countText(durability.objects)}</dd>
        <dt>Size</dt>
        <dd>{bytesText(durability.bytes)}</dd>
      </dl>
    </section>
  );
}
