// Scripted traces of the consensus core: test/fixtures/raft/*.txt hold the commands and what must
// come out. RAFT_TRACES=write rewrites the expectations; read the difference before keeping it.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { compileRaftCore } from "../../../services/lib/raft/core.ts";
import { runScript } from "./script.ts";

const folder = new URL("../../fixtures/raft/", import.meta.url);
const module = compileRaftCore();

for (const name of readdirSync(folder).filter((file) => file.endsWith(".txt"))) {
  test(`trace ${name.slice(0, -4).replaceAll("-", " ")}`, () => {
    const file = new URL(name, folder);
    const expected = readFileSync(file, "utf8");
    const actual = runScript(expected, module);
    if (process.env.RAFT_TRACES === "write") writeFileSync(file, actual);
    else assert.equal(actual, expected);
  });
}
