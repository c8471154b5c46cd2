// What all processes of a cluster show on their operations ports, read as Prometheus would.

/** Figures of one metric over all processes. */
export interface Figures {
  /** Sum of all values that are numbers; 0 where there is no series. */
  readonly sum: number;
  readonly lines: readonly string[];
}

export interface Scrape {
  /** `name`: without the prefix; with labels, `disk_state{state="up"}`, those that have them. */
  figures(name: string): Figures;
}

const LINE = /^dolium_([a-z0-9_]+)(?:\{(.*)\})? (\S+)$/;

/** Throws when a process does not answer. */
export async function scrape(addresses: readonly string[]): Promise<Scrape> {
  const pages = addresses.flatMap((address) => [
    `http://${address}/metrics`,
    `http://${address}/metrics/buckets`,
  ]);
  const texts = await Promise.all(pages.map(readPage));
  const lines = texts.flatMap((text) => text.split("\n"));
  return { figures: (name) => figuresOf(lines, name) };
}

async function readPage(url: string): Promise<string> {
  const response = await fetch(url);
  // Only gateways have figures of buckets.
  if (response.status === 404 && url.endsWith("/buckets")) return "";
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.text();
}

function figuresOf(lines: readonly string[], wanted: string): Figures {
  const [name = "", labels = ""] = wanted.replace(/\}$/, "").split("{");
  const conditions = labels === "" ? [] : labels.split(",");
  const found = lines.filter((line) => {
    const [, metric, pairs = ""] = LINE.exec(line) ?? [];
    return metric === name && conditions.every((one) => pairs.split(",").includes(one));
  });
  const values = found.map((line) => Number(LINE.exec(line)?.[3]));
  const numbers = values.filter((value) => Number.isFinite(value));
  return { sum: numbers.reduce((sum, value) => sum + value, 0), lines: found };
}
