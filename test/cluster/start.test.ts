// A local cluster that cannot start says which process ended and why, and ends; it does not wait.
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { LocalCluster } from "../support/local-cluster.ts";

const SMALL = ["dev", "--gateways", "1", "--metadata", "1", "--storage", "1", "--no-restart"];

test("a taken port ends the start, naming the process", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve());
  });
  const bound = server.address();
  assert.ok(typeof bound === "object" && bound !== null);
  try {
    await assert.rejects(LocalCluster.start({ args: SMALL, s3Port: bound.port }), (error) => {
      assert.ok(error instanceof Error);
      assert.match(error.message, /gateway-1 ended/);
      assert.match(error.message, /-- gateway-1 is not ready; its log ends:\n.*EADDRINUSE/s);
      return true;
    });
  } finally {
    server.close();
  }
});
