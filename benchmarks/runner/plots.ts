// Figures of a run as SVG: how latencies are spread, store beside floor, and how rates grow with
// connections. Plain text with no script and nothing to fetch.
import { type Case, parseCase, sizeName } from "./contract.ts";
import type { Histogram } from "./histogram.ts";
import type { Measured } from "./measure.ts";

const WIDTH = 720;
const HEIGHT = 320;
const MARGIN = 56;
const STORE = "#1f6f8b";
const FLOOR = "#c9a227";
/** Columns of a histogram: as many for each factor of ten. */
const COLUMNS_OF_DECADE = 10;

export interface Plot {
  readonly fileName: string;
  readonly svg: string;
}

/** One plot of latencies a case, one of rates for each operation, size and mode with several. */
export function plotsOf(measured: readonly Measured[]): Plot[] {
  return [...measured.map(latencyPlot), ...scalingPlots(measured)];
}

function latencyPlot({ result, latency, floorLatency }: Measured): Plot {
  const store = columnsOf(latency);
  const floor = columnsOf(floorLatency);
  const all = [...store.keys(), ...floor.keys()];
  const first = Math.min(...all);
  const count = Math.max(...all) - first + 1;
  const step = (WIDTH - 2 * MARGIN) / count;
  const bars = (columns: ReadonlyMap<number, number>, color: string, part: number): string[] =>
    [...columns].map(([column, share]) => {
      const height = share * (HEIGHT - 2 * MARGIN);
      const x = MARGIN + (column - first + part / 2) * step;
      return rectangle({ x, y: HEIGHT - MARGIN - height, width: step / 2, height }, color);
    });
  const labels = Array.from({ length: count }, (_, at) => first + at)
    .filter((column) => column % COLUMNS_OF_DECADE === 0)
    .map((column) => {
      const x = MARGIN + (column - first) * step;
      return text(x, HEIGHT - MARGIN + 18, `${10 ** (column / COLUMNS_OF_DECADE)} ms`);
    });
  const parts = [...bars(floor, FLOOR, 0), ...bars(store, STORE, 1), ...labels];
  const title = `${result.name} (${result.mode}): latencies, share of requests`;
  return { fileName: `${result.mode}-${result.name}-latency.svg`, svg: page(title, parts) };
}

/** Shares of all, by column, the largest as 1. */
function columnsOf(histogram: Histogram): Map<number, number> {
  const columns = new Map<number, number>();
  for (const { upToMs, count } of histogram.bars()) {
    const column = Math.floor(Math.log10(upToMs) * COLUMNS_OF_DECADE);
    columns.set(column, (columns.get(column) ?? 0) + count);
  }
  const most = Math.max(1, ...columns.values());
  return new Map([...columns].map(([column, count]) => [column, count / most]));
}

interface Point {
  readonly connections: number;
  readonly store: number;
  readonly floor: number;
}

function scalingPlots(measured: readonly Measured[]): Plot[] {
  const groups = new Map<string, Point[]>();
  for (const { result } of measured) {
    const parsed = parseCase(result.name);
    if (parsed === undefined || parsed.isOpenLoop || parsed.isDegraded) continue;
    const name = `${result.mode}-${groupName(parsed)}`;
    const store = result.opsPerSecond;
    const point = { connections: parsed.connections, store, floor: result.floor.opsPerSecond };
    groups.set(name, [...(groups.get(name) ?? []), point]);
  }
  return [...groups]
    .filter(([, points]) => points.length > 1)
    .map(([name, points]) => ({ fileName: `${name}-scaling.svg`, svg: scaling(name, points) }));
}

function groupName({ operation, size }: Case): string {
  return `${operation}-${sizeName(size)}`;
}

function scaling(name: string, unsorted: readonly Point[]): string {
  const points = unsorted.toSorted((left, right) => left.connections - right.connections);
  const most = Math.max(...points.flatMap(({ store, floor }) => [store, floor]));
  const widest = Math.log2(points.at(-1)?.connections ?? 1);
  const x = ({ connections }: Point): number =>
    MARGIN + (Math.log2(connections) / Math.max(1, widest)) * (WIDTH - 2 * MARGIN);
  const y = (rate: number): number =>
    HEIGHT - MARGIN - (rate / Math.max(1, most)) * (HEIGHT - 2 * MARGIN);
  const line = (rate: (point: Point) => number, color: string): string =>
    `<polyline fill="none" stroke="${color}" stroke-width="2" points="${points
      .map((point) => `${x(point).toFixed(1)},${y(rate(point)).toFixed(1)}`)
      .join(" ")}"/>`;
  return page(`${name}: operations a second by connections`, [
    line(({ floor }) => floor, FLOOR),
    line(({ store }) => store, STORE),
    ...points.map((point) => text(x(point), HEIGHT - MARGIN + 18, String(point.connections))),
    text(MARGIN, MARGIN - 8, `${Math.round(most)}/s`),
  ]);
}

function page(title: string, parts: readonly string[]): string {
  const size = `width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}"`;
  const base = HEIGHT - MARGIN;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="${MARGIN}" y="20" font-size="14">${title}</text>
${text(WIDTH - 3 * MARGIN, 36, "store", STORE)}${text(WIDTH - 2 * MARGIN, 36, "floor", FLOOR)}
<line x1="${MARGIN}" y1="${base}" x2="${WIDTH - MARGIN}" y2="${base}" stroke="#888"/>
${parts.join("\n")}
</svg>
`;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function rectangle({ x, y, width, height }: Box, color: string): string {
  const place = `x="${x.toFixed(1)}" y="${y.toFixed(1)}"`;
  return `<rect ${place} width="${width.toFixed(1)}" height="${height.toFixed(1)}" fill="${color}"/>`;
}

function text(x: number, y: number, words: string, color = "#333"): string {
  return `<text x="${x.toFixed(1)}" y="${y}" fill="${color}">${words}</text>`;
}
