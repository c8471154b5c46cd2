// The dashboards' JSON is what their table says, and has the shape that Grafana reads.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { DASHBOARDS } from "../../deploy/grafana/dashboards.ts";
import { DEPLOY } from "./rule-file.ts";

interface PanelJson {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets: readonly { readonly refId: string; readonly expr: string }[];
}

interface DashboardJson {
  readonly uid: string;
  readonly title: string;
  readonly templating: { readonly list: readonly { readonly name: string }[] };
  readonly panels: readonly PanelJson[];
}

function read(file: string): DashboardJson {
  return JSON.parse(readFileSync(join(DEPLOY, "grafana", file), "utf8")) as DashboardJson;
}

test("the dashboards are what their table says", () => {
  execFileSync(process.execPath, [join(DEPLOY, "grafana/generate.ts"), "--check"]);
});

test("six dashboards, each with its variables, panels that do not overlap, and queries", () => {
  assert.equal(DASHBOARDS.length, 6);
  const uids = new Set<string>();
  for (const { file, byBucket } of DASHBOARDS) {
    const { uid, templating, panels } = read(file);
    uids.add(uid);
    const names = templating.list.map(({ name }) => name);
    const expected = ["datasource", "cluster", "campus", ...(byBucket === true ? ["bucket"] : [])];
    assert.deepEqual(names, expected, file);
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length, file);
    for (const panel of panels) {
      assert.ok(panel.targets.length > 0 && panel.title !== "", `${file}: ${panel.title}`);
      for (const { expr } of panel.targets) {
        assert.doesNotMatch(expr, /\$[SCBR]\b/, `${file}: ${expr}`);
        assert.match(expr, /\$cluster/, `${file}: ${expr} is not of the chosen cluster`);
      }
    }
    assert.deepEqual(overlapping(panels), [], file);
  }
  assert.equal(uids.size, DASHBOARDS.length);
});

function overlapping(panels: readonly PanelJson[]): string[] {
  const taken = new Map<string, string>();
  const twice: string[] = [];
  for (const { title, gridPos } of panels) {
    const { x, y, w, h } = gridPos;
    for (let column = x; column < x + w; column += 1) {
      for (let row = y; row < y + h; row += 1) {
        const cell = `${column}/${row}`;
        if (taken.has(cell)) twice.push(`${title} and ${taken.get(cell)}`);
        taken.set(cell, title);
      }
    }
  }
  return [...new Set(twice)];
}
