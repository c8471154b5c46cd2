// `dolium drain` against an operations port: it waits while the cluster needs the process, asks it
// to leave in any case, and says by its exit whether the wait was long enough.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { UsageError } from "../../../services/cli/command-line.ts";
import { drainCommand } from "../../../services/cli/commands/drain.ts";
import { CommandError, ExitCode } from "../../../services/cli/exit-code.ts";
import { createMetrics } from "../../../services/lib/host/metrics.ts";
import { createOpsServer, departureReport } from "../../../services/lib/host/ops-server.ts";
import { opsToken } from "../../../services/lib/host/ops-token.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { createRecordingLog } from "../host/recording-log.ts";

const SECRET = "a secret of the cluster, long enough";

/** A process that is needed for the first `needed` questions. */
async function process(t: TestContext, needed: number) {
  const seen: string[] = [];
  const ok = () => ({ ok: true });
  const cluster = () => {
    seen.push("asked");
    const isNeeded = seen.length <= needed;
    return departureReport(isNeeded ? ["group 1: 1 voters would serve"] : []);
  };
  const server = createOpsServer({
    metrics: createMetrics({ nodeMetrics: false }),
    log: createRecordingLog(),
    health: { started: ok, live: ok, ready: ok, cluster },
    departure: { token: opsToken(SECRET), leave: async () => void seen.push("left") },
  });
  const address = await server.listen("127.0.0.1:0");
  const folder = temporaryFolder("dolium-drain-");
  t.after(async () => {
    await server.close();
    folder.remove();
  });
  const port = Number(address.split(":").at(-1));
  type Given = Record<string, boolean | number | string>;
  const drain = (options: Given, secret = SECRET, at = port) => {
    const config = join(folder.path, "config.json");
    const ops = { address: "0.0.0.0", port: at };
    writeFileSync(config, JSON.stringify({ ops, cluster: { secret } }));
    return drainCommand.run({ options: { config, json: true, ...options }, positionals: [] });
  };
  return { seen, drain, url: `http://${address}/` };
}

test("a process that others can do without leaves at once", async (t) => {
  const { seen, drain } = await process(t, 0);
  assert.equal(await drain({ wait: true }), ExitCode.OK);
  assert.deepEqual(seen, ["asked", "left"]);
});

test("a process that knows nothing of others has a gateway asked", async (t) => {
  const [storage, gateway] = [await process(t, 9), await process(t, 1)];
  assert.equal(await storage.drain({ wait: true, ask: gateway.url }), ExitCode.OK);
  assert.deepEqual([storage.seen, gateway.seen], [["left"], ["asked", "asked"]]);
  await assert.rejects(storage.drain({ wait: true, ask: "nowhere" }), UsageError);
});

test("without --wait nobody is asked", async (t) => {
  const { seen, drain } = await process(t, 9);
  assert.equal(await drain({}), ExitCode.OK);
  assert.deepEqual(seen, ["left"]);
});

test("a process that is needed stays until it is not", async (t) => {
  const { seen, drain } = await process(t, 2);
  assert.equal(await drain({ wait: true, settle: 0 }), ExitCode.OK);
  assert.deepEqual(seen, ["asked", "asked", "asked", "left"]);
});

test("past the deadline it leaves, and the command fails with the reason", async (t) => {
  const { seen, drain } = await process(t, Number.POSITIVE_INFINITY);
  await assert.rejects(drain({ wait: true, deadline: 0 }), (error) => {
    assert.ok(error instanceof CommandError);
    assert.equal(error.exitCode, ExitCode.UNAVAILABLE);
    assert.match(error.message, /1 voters would serve/);
    return true;
  });
  assert.deepEqual(seen, ["asked", "left"]);
});

test("another secret, no port and nobody there are told apart", async (t) => {
  const { seen, drain } = await process(t, 0);
  const fails = (exitCode: ExitCode) => (error: unknown) =>
    error instanceof CommandError && error.exitCode === exitCode;
  await assert.rejects(drain({}, "another secret"), fails(ExitCode.DENIED));
  await assert.rejects(drain({}, SECRET, 0), UsageError);
  await assert.rejects(drain({}, ""), UsageError);
  await assert.rejects(drain({}, SECRET, 1), fails(ExitCode.UNAVAILABLE));
  assert.deepEqual(seen, []);
});
