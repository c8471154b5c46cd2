// Names of cases, the command line, what a document must have, and what counts as worse.
import assert from "node:assert/strict";
import { test } from "node:test";
import { casesOf } from "../../../benchmarks/runner/catalogue.ts";
import { compare } from "../../../benchmarks/runner/compare.ts";
import {
  type BenchDocument,
  caseName,
  isContractCase,
  MODES,
  parseCase,
  problems,
  type Result,
} from "../../../benchmarks/runner/contract.ts";
import { parseOptions } from "../../../benchmarks/runner/options.ts";
import { median } from "../../../benchmarks/runner/statistics.ts";

test("every case of the catalogue is named as its name is read", () => {
  for (const mode of MODES) {
    for (const isQuick of [true, false]) {
      const names = casesOf(mode, isQuick).map(caseName);
      assert.ok(names.length > 0);
      assert.equal(new Set(names).size, names.length);
      for (const name of names) {
        const parsed = parseCase(name);
        assert.ok(parsed !== undefined && caseName(parsed) === name, name);
      }
    }
  }
});

test("names are read whole or not at all", () => {
  const closed = { isOpenLoop: false, isDegraded: false };
  const expected = { operation: "put", size: 64 * 2 ** 20, connections: 1, ...closed };
  assert.deepEqual(parseCase("put-64MiB-c1"), expected);
  assert.deepEqual(parseCase("put-64MiB-c1-degraded"), { ...expected, isDegraded: true });
  assert.deepEqual(parseCase("get-1B-c64-open"), {
    operation: "get",
    size: 1,
    connections: 64,
    isOpenLoop: true,
    isDegraded: false,
  });
  const wrong = [
    "put-64MB-c1",
    "put-0B-c1",
    "copy-1B-c1",
    "put-1B",
    "put-1B-c0",
    "put-1B-c999",
    "put-1B-c1-degraded-open",
  ];
  for (const name of [...wrong, "put-2GiB-c1", " put-1B-c1", ""]) {
    assert.equal(parseCase(name), undefined, name);
  }
});

test("multipart, mixed, open loops and degraded reads stand beside the results", () => {
  const names = ["put-1B-c1", "list-1B-c1", "mixed-1B-c1", "multipart-1B-c1", "get-1B-c1-open"];
  names.push("get-1B-c1-degraded");
  const contract = names.filter((name) => isContractCase(parseCase(name) ?? assert.fail(name)));
  assert.deepEqual(contract, ["put-1B-c1", "list-1B-c1"]);
});

test("the command line is taken whole, and wrong ones are refused", () => {
  const options = parseOptions(["--json", "--quick", "--only", "put-1B-c1", "--mode", "server"]);
  assert.deepEqual(options.modes, ["server"]);
  assert.equal(options.rounds, 3);
  assert.deepEqual(options.only?.map(caseName), ["put-1B-c1"]);
  assert.deepEqual(parseOptions([]).modes, ["server", "cluster"]);
  const wrong = [
    ["--only", "put-1B"],
    ["--only", ""],
    ["--mode", "endpoint"],
    ["--mode", "server", "--endpoint", "http://127.0.0.1:1"],
    ["--rounds", "0"],
    ["--seconds", "1.5"],
    ["--payload", "both"],
    ["--fast"],
    ["word"],
  ];
  for (const args of wrong)
    assert.throws(() => parseOptions(args), { name: "Error" }, String(args));
});

const FIGURES = {
  mibPerSecond: 1,
  opsPerSecond: 2,
  p50Ms: 3,
  p99Ms: 4,
  firstByteP50Ms: 1,
  cpuMsPerOperation: null,
};

function documentOf(ratio: number): BenchDocument {
  const machine = {
    processor: "",
    processors: 1,
    memoryBytes: 1,
    platform: "",
    node: "",
    load: 0,
  };
  const result: Result = {
    name: "put-1B-c1",
    mode: "server",
    rounds: 1,
    ...FIGURES,
    floor: FIGURES,
    ratio,
  };
  return { machine, results: [result], others: [], skipped: [], payload: "unsigned" };
}

test("a document without what the contract names is told what it lacks", () => {
  assert.deepEqual(problems(documentOf(0.5)), []);
  assert.deepEqual(problems(null), ["the document is no object"]);
  assert.deepEqual(problems({}), ["machine is no object", "results is no array"]);
  const result = { name: "put-1B", mode: "s", ratio: Number.NaN, floor: {} };
  const found = problems({ machine: {}, results: [result] });
  for (const part of ["name", "mode", "ratio", "p99Ms", "floor.p50Ms"]) {
    assert.ok(found.includes(`results[0]: ${part}`), part);
  }
});

test("a case is worse when it lost more than a quarter of its ratio", () => {
  const baseline = JSON.parse(JSON.stringify(documentOf(0.8)));
  assert.equal(compare(baseline, documentOf(0.61))[0]?.isWorse, false);
  assert.equal(compare(baseline, documentOf(0.59))[0]?.isWorse, true);
  assert.deepEqual(compare({}, documentOf(0.1)), []);
});

test("the median of an even number is between its middle two", () => {
  assert.equal(median([5, 1, 3]), 3);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});
