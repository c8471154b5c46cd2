// Every values file of ci/ is one way to run: Helm finds nothing to say against it, and what comes
// out fits the schemas of Kubernetes, strictly. Two renderings are the same, byte for byte.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { outdatedFiles } from "../../helm/generate.ts";
import {
  CHART,
  ciValues,
  KUBE_VERSION,
  missingProgram,
  programPath,
  render,
  withoutHelm,
} from "./chart.ts";
import { schemaLocations } from "./kubernetes-schemas.ts";

const locations = schemaLocations();
const withoutSchemas =
  withoutHelm ||
  missingProgram("kubeconform", ["-h"]) ||
  (locations === undefined && "kubernetes-validate is not installed on this machine");

for (const [name, file] of ciValues()) {
  test(`${name}: lint is content`, { skip: withoutHelm }, () => {
    const args = ["lint", CHART, "--strict", "--kube-version", KUBE_VERSION, "--values", file];
    const { status, stdout, stderr } = spawnSync(programPath("helm"), args, { encoding: "utf8" });
    assert.equal(status, 0, `${stdout}${stderr}`);
  });

  test(`${name}: fits Kubernetes, and is the same when it is rendered again`, {
    skip: withoutSchemas,
  }, () => {
    const input = render({ files: [file] });
    assert.equal(render({ files: [file] }), input);
    const { text, valid } = conform(input);
    assert.ok(valid > 5, text);
  });
}

/** Fails where an object does not fit, or has no schema. */
function conform(input: string): { readonly text: string; readonly valid: number } {
  const args = ["-strict", "-output", "json", "-summary", "-kubernetes-version", KUBE_VERSION];
  const places = (locations ?? []).flatMap((place) => ["-schema-location", place]);
  const { status, stdout, stderr } = spawnSync(programPath("kubeconform"), [...args, ...places], {
    input,
    encoding: "utf8",
  });
  assert.equal(status, 0, `${stdout}${stderr}`);
  const { summary } = JSON.parse(stdout) as {
    summary: { valid: number; skipped: number; invalid: number };
  };
  assert.equal(summary.skipped, 0, stdout);
  return { text: stdout, valid: summary.valid };
}

test("the schemas refuse what does not fit", { skip: withoutSchemas }, () => {
  const good = render();
  for (const [from, to] of [
    ["publishNotReadyAddresses: true", "publishNotReadyAddress: true"],
    ["failureThreshold: 60", "failureThreshold: many"],
    ["podManagementPolicy: Parallel", "podManagementPolice: Parallel"],
  ] as const) {
    const bad = good.replace(from, to);
    assert.notEqual(bad, good);
    assert.throws(() => conform(bad), to);
  }
});

test("schema, table of values and copies are up to date", () => {
  assert.deepEqual(outdatedFiles(), [], "run node helm/generate.ts");
});
