// Ports of local clusters: free, below the range of outgoing connections, and never given to two
// clusters that are planned at the same time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FreePorts } from "../../../services/cli/dev/free-ports.ts";

const FIRST = 20_000;
const LAST = 32_000;
const BLOCK = 32;

test("two clusters that are planned at the same time share no port", async () => {
  const planners = Array.from({ length: 40 }, () => new FreePorts());
  const taken = await Promise.all(planners.map((ports) => ports.take()));
  // Nobody listens on them yet; drawn from 375 blocks without holding them, 40 would meet.
  assert.equal(new Set(taken).size, taken.length);
  const blocks = taken.map((port) => Math.floor((port - FIRST) / BLOCK));
  assert.equal(new Set(blocks).size, blocks.length);
  assert.ok(taken.every((port) => port > FIRST && port < LAST));
  await Promise.all(planners.map((ports) => ports.close()));
});

test("a port that is spoken for is not given", async () => {
  const everyThird = Array.from({ length: LAST - FIRST }, (_, index) => FIRST + index).filter(
    (port) => port % 3 !== 0,
  );
  const ports = new FreePorts(everyThird);
  for (let count = 0; count < BLOCK; count += 1) assert.equal((await ports.take()) % 3, 0);
  await ports.close();
});
