// Writes the dashboards' JSON from the table: `node deploy/grafana/generate.ts`; `--check` says
// whether what stands there is up to date. Panels are laid out in rows of 24 columns: four figures
// or two graphs beside each other.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { DASHBOARDS, type Dashboard, type Panel } from "./dashboards.ts";

/** What the placeholders of the table's queries stand for. */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  $S: 'cluster=~"$cluster",campus=~"$campus"',
  $C: 'cluster=~"$cluster"',
  $B: 'cluster=~"$cluster",bucket=~"$bucket"',
  $R: "$__rate_interval",
};

const ROW_COLUMNS = 24;
const SIZES = { stat: { w: 4, h: 4 }, graph: { w: 12, h: 8 } } as const;
const DATASOURCE = { type: "prometheus", uid: "$datasource" };

/** The query as Grafana is given it. */
export function grafanaQuery(expr: string): string {
  return expr.replace(/\$[SCBR](?![A-Za-z_])/g, (name) => PLACEHOLDERS[name] ?? name);
}

export function dashboardJson(dashboard: Dashboard): string {
  const { file, title, description, byBucket, panels } = dashboard;
  const variables = [
    { name: "datasource", type: "datasource", query: "prometheus", label: "Data source" },
    choice("cluster", "label_values(dolium_build_info, cluster)"),
    choice("campus", 'label_values(dolium_build_info{cluster=~"$cluster"}, campus)'),
    ...(byBucket === true
      ? [choice("bucket", 'label_values(dolium_bucket_objects{cluster=~"$cluster"}, bucket)')]
      : []),
  ];
  const document = {
    uid: `dolium-${file.replace(".json", "")}`,
    ...{ title, description },
    tags: ["dolium"],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: "30s",
    time: { from: "now-3h", to: "now" },
    templating: { list: variables },
    links: [
      { type: "dashboards", tags: ["dolium"], title: "Dolium", asDropdown: true, keepTime: true },
    ],
    panels: placed(panels),
  };
  return JSON.stringify(document);
}

function choice(name: string, query: string) {
  return {
    ...{ name, query },
    type: "query",
    label: name,
    datasource: DATASOURCE,
    definition: query,
    refresh: 2,
    includeAll: true,
    multi: true,
    allValue: ".*",
    current: { text: "All", value: "$__all" },
    sort: 1,
  };
}

function placed(panels: readonly Panel[]) {
  let x = 0;
  let y = 0;
  let rowHeight = 0;
  return panels.map((panel, index) => {
    const { w, h } = SIZES[panel.kind];
    if (x + w > ROW_COLUMNS) {
      x = 0;
      y += rowHeight;
      rowHeight = 0;
    }
    const gridPos = { x, y, w, h };
    x += w;
    rowHeight = Math.max(rowHeight, h);
    return panelJson(panel, index + 1, gridPos);
  });
}

function panelJson({ title, kind, unit, queries }: Panel, id: number, gridPos: object) {
  return {
    ...{ id, title, gridPos },
    type: kind === "stat" ? "stat" : "timeseries",
    datasource: DATASOURCE,
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    options:
      kind === "stat"
        ? { reduceOptions: { calcs: ["lastNotNull"] } }
        : { legend: { displayMode: "list" }, tooltip: { mode: "multi", sort: "desc" } },
    targets: queries.map(({ expr, legend }, at) => ({
      refId: String.fromCharCode("A".charCodeAt(0) + at),
      datasource: DATASOURCE,
      expr: grafanaQuery(expr),
      legendFormat: legend,
      instant: kind === "stat",
      range: kind !== "stat",
    })),
  };
}

/** As every JSON file of the repository is. */
function formatted(json: string): string {
  const biome = join(import.meta.dirname, "../../node_modules/.bin/biome");
  const options = { input: json, encoding: "utf8" } as const;
  return execFileSync(biome, ["format", "--stdin-file-path=dashboard.json"], options);
}

function main(isCheck: boolean): number {
  const stale = DASHBOARDS.filter((dashboard) => {
    const path = join(import.meta.dirname, dashboard.file);
    const json = formatted(dashboardJson(dashboard));
    if (!isCheck) writeFileSync(path, json);
    return isCheck && readFileSync(path, "utf8") !== json;
  });
  for (const { file } of stale) {
    process.stderr.write(`${file} is not what its table says: node deploy/grafana/generate.ts\n`);
  }
  return stale.length === 0 ? 0 : 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  process.exitCode = main(process.argv.includes("--check"));
}
