// The JSON Schemas of Kubernetes' own objects, strict, as kubeconform reads them. They come with
// the Python package kubernetes-validate (see .ci/run), whose references between files are changed
// to plain file names once. Kinds of others, that have no schema there, are in schemas/.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { KUBE_VERSION, ROOT } from "./chart.ts";

const OWN = join(import.meta.dirname, "schemas");
const CONVERTED = join(ROOT, ".ci/kubernetes-schemas", `v${KUBE_VERSION}`);
const WORD = "{{.ResourceKind}}{{.KindSuffix}}.json";

function sourceFolder(): string | undefined {
  const library = join(ROOT, ".ci/venv/lib");
  const pythons = existsSync(library) ? readdirSync(library) : [];
  return pythons
    .map((python) =>
      join(
        library,
        python,
        "site-packages/kubernetes_validate/kubernetes-json-schema",
        `v${KUBE_VERSION}-local-strict`,
      ),
    )
    .find((folder) => existsSync(folder));
}

/** Places for kubeconform's -schema-location; undefined where the schemas are not installed. */
export function schemaLocations(): string[] | undefined {
  if (!existsSync(CONVERTED)) {
    const source = sourceFolder();
    if (source === undefined) return undefined;
    convert(source);
  }
  return [join(CONVERTED, WORD), join(OWN, WORD)];
}

function convert(source: string): void {
  const folder = `${CONVERTED}.${process.pid}`;
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(source)) {
    // Their own format, by the package's contract: an object a file.
    const schema = JSON.parse(readFileSync(join(source, name), "utf8")) as Record<string, unknown>;
    const { $id: _id, $schema: _dialect, ...rest } = schema;
    const text = JSON.stringify(rest).replaceAll("/api/_definitions.json", "_definitions.json");
    writeFileSync(join(folder, name), text);
  }
  // Another test file may have been faster, with the same.
  if (!existsSync(CONVERTED)) renameSync(folder, CONVERTED);
}
