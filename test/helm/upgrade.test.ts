// What Kubernetes never lets anybody change in an object that is there: an upgrade from the last
// recorded chart would fail on it. The record (test/fixtures/helm) is written anew with
// DOLIUM_RECORD=1 when a release breaks with the former on purpose, and says so.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { at, ciValues, type Manifest, manifests, nameOf, ROOT, withoutHelm } from "./chart.ts";

const RECORD = join(ROOT, "test/fixtures/helm/immutable-fields.json");

/** Paths below an object that the API server refuses to change, by kind. */
const IMMUTABLE: Readonly<Record<string, readonly (readonly string[])[]>> = {
  StatefulSet: [
    ["spec", "selector"],
    ["spec", "serviceName"],
    ["spec", "podManagementPolicy"],
    ["spec", "volumeClaimTemplates"],
  ],
  Deployment: [["spec", "selector"]],
  Service: [["spec", "clusterIP"]],
  RoleBinding: [["roleRef"]],
  ClusterRoleBinding: [["roleRef"]],
  BucketClass: [["driverName"], ["parameters"]],
};

type Fields = Record<string, Record<string, unknown>>;

function immutableFields(all: readonly Manifest[]): Fields {
  const fields: Fields = {};
  for (const object of all) {
    const paths = IMMUTABLE[String(object.kind)];
    // Hooks are deleted before they are made again.
    if (paths === undefined || at(object, "metadata", "annotations", "helm.sh/hook")) continue;
    const found = paths.map((path) => [path.join("."), at(object, ...path) ?? null] as const);
    fields[`${String(object.kind)}/${nameOf(object)}`] = Object.fromEntries(found);
  }
  return fields;
}

test("an upgrade changes nothing that cannot be changed", { skip: withoutHelm }, () => {
  const now = Object.fromEntries(
    [...ciValues()].map(([name, file]) => [name, immutableFields(manifests({ files: [file] }))]),
  );
  if (process.env.DOLIUM_RECORD === "1") {
    mkdirSync(dirname(RECORD), { recursive: true });
    writeFileSync(RECORD, `${JSON.stringify(now, null, 2)}\n`);
  }
  // Our own record, as written above.
  const before = JSON.parse(readFileSync(RECORD, "utf8")) as Record<string, Fields>;
  for (const [name, objects] of Object.entries(before)) {
    for (const [object, fields] of Object.entries(objects)) {
      const current = now[name]?.[object];
      // An object that is no more is deleted by the upgrade; one that is must be as it was.
      if (current !== undefined) assert.deepEqual(current, fields, `${name}: ${object}`);
    }
  }
});
