// Harm to the network between campuses, at the relay: cut both ways or one way, far, slow and
// lossy.
import { CAMPUSES, type Campus, type Campuses, type Link } from "../campuses.ts";
import type { ChaosCluster } from "../chaos-cluster.ts";
import { type Nemesis, type NemesisKind, pick, type Scene } from "./nemesis.ts";

type Direction = readonly [Campus, Campus];

const ALL: readonly Direction[] = CAMPUSES.flatMap((from) =>
  CAMPUSES.filter((to) => to !== from).map((to): Direction => [from, to]),
);

async function missing({ campuses }: ChaosCluster): Promise<string | undefined> {
  return campuses.hasLinks ? undefined : "loopback has no links between campuses";
}

function links(
  campuses: Campuses,
  what: { readonly text: string; readonly directions: readonly Direction[]; readonly link: Link },
): Nemesis {
  const set = (link: Link) => async (): Promise<void> => {
    for (const [from, to] of what.directions) campuses.setLink(from, to, link);
  };
  return { text: what.text, start: set(what.link), stop: set({}) };
}

async function cut({ cluster, random }: Scene): Promise<Nemesis> {
  const campus = pick(random, CAMPUSES);
  const directions = ALL.filter((direction) => direction.includes(campus));
  return links(cluster.campuses, {
    text: `cut campus ${campus} off`,
    directions,
    link: { cut: true },
  });
}

async function cutPair({ cluster, random }: Scene): Promise<Nemesis> {
  const [from, to] = pick(random, ALL);
  const directions: Direction[] = [
    [from, to],
    [to, from],
  ];
  return links(cluster.campuses, {
    text: `cut campuses ${from} and ${to} apart`,
    directions,
    link: { cut: true },
  });
}

/** What leaves the campus is lost, what comes to it arrives; or the other way round. */
async function oneWay({ cluster, random }: Scene): Promise<Nemesis> {
  const campus = pick(random, CAMPUSES);
  const out = random() < 0.5;
  const directions = ALL.filter(([from, to]) => (out ? from : to) === campus);
  return links(cluster.campuses, {
    text: `nothing ${out ? "leaves" : "reaches"} campus ${campus}`,
    directions,
    link: { cut: true },
  });
}

async function far({ cluster, random }: Scene): Promise<Nemesis> {
  const link = {
    delayMs: 10 + Math.floor(random() * 40),
    jitterMs: Math.floor(random() * 10),
    loss: Math.round(random() * 20) / 1000,
    duplicate: 0.01,
  };
  return links(cluster.campuses, { text: `far: ${JSON.stringify(link)}`, directions: ALL, link });
}

export const NETWORK_NEMESES: readonly NemesisKind[] = [
  { name: "cut-campus", missing, lastsMs: [5000, 25_000], draw: cut },
  { name: "cut-pair", missing, lastsMs: [5000, 20_000], draw: cutPair },
  { name: "cut-one-way", missing, lastsMs: [5000, 20_000], draw: oneWay },
  { name: "far", missing, lastsMs: [8000, 20_000], draw: far },
];
