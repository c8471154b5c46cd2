// Stopping in order, with a process of our own making; and once with a real one.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { AssertionFailure } from "../../../services/lib/base/assert.ts";
import { deferred } from "../../../services/lib/base/bounded.ts";
import { installProcessLife } from "../../../services/lib/host/process.ts";
import { createRecordingLog } from "./recording-log.ts";

function setUp(graceMs = 10_000) {
  const events = new EventEmitter();
  const exited = deferred<number>();
  const log = createRecordingLog();
  const process = { events, exit: (code: number) => exited.resolve(code) };
  const life = installProcessLife({ log, graceMs, process });
  return { events, exited: exited.promise, log, life };
}

for (const signal of ["SIGTERM", "SIGINT"]) {
  test(`${signal} closes in reverse order of opening, one after another`, async () => {
    const { events, exited, life } = setUp();
    const order: string[] = [];
    for (const name of ["disk", "server", "client"]) {
      life.onStop(name, async () => {
        order.push(`${name} begins`);
        await new Promise((resolve) => setImmediate(resolve));
        order.push(`${name} ends`);
      });
    }
    events.emit(signal);
    assert.equal(await exited, 0);
    const expected = ["client", "server", "disk"].flatMap((name) => [
      `${name} begins`,
      `${name} ends`,
    ]);
    assert.deepEqual(order, expected);
    assert.throws(() => life.onStop("late", async () => undefined), AssertionFailure);
  });
}

test("a closer that fails is logged, the others still close, the code is 1", async () => {
  const { events, exited, log, life } = setUp();
  let closed = 0;
  life.onStop("first", async () => {
    closed += 1;
  });
  life.onStop("bad", () => Promise.reject(new Error("stuck")));
  events.emit("SIGTERM");
  assert.equal(await exited, 1);
  assert.equal(closed, 1);
  assert.ok(log.logged.some(({ error }) => error instanceof Error && error.message === "stuck"));
});

test("a second signal exits at once, and so does a grace that runs out", async () => {
  const stuck = setUp(200);
  stuck.life.onStop("stuck", () => new Promise(() => undefined));
  stuck.events.emit("SIGTERM");
  stuck.events.emit("SIGINT");
  assert.equal(await stuck.exited, 130);
  stuck.life.uninstall();
  assert.deepEqual(stuck.events.eventNames(), []);
  const slow = setUp(20);
  slow.life.onStop("stuck", () => new Promise(() => undefined));
  slow.events.emit("SIGTERM");
  assert.equal(await slow.exited, 1);
});

test("an error that nobody caught is logged and ends the process", async () => {
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    const { events, exited, log } = setUp();
    events.emit(event, new TypeError("oops"));
    assert.equal(await exited, 1);
    assert.ok(log.logged.some(({ error }) => error instanceof TypeError));
  }
});

const host = join(import.meta.dirname, "../../../services/lib/host");
const program = (end: string): string => `
  import { installProcessLife } from ${JSON.stringify(join(host, "process.ts"))};
  import { createLog } from ${JSON.stringify(join(host, "log.ts"))};
  const life = installProcessLife({ log: createLog() });
  const alive = setInterval(() => undefined, 1000);
  life.onStop("interval", async () => { clearInterval(alive); console.log("closed"); });
  console.log("up");
  ${end}
`;

test("a real process stops on SIGTERM and dies of a stray rejection", async () => {
  const run = (end: string) =>
    spawn(process.execPath, ["--input-type=module-typescript", "--eval", program(end)]);
  const child = run("");
  const said: string[] = [];
  child.stdout.on("data", (data: Buffer) => {
    said.push(String(data));
    if (said.length === 1) child.kill("SIGTERM");
  });
  const [code] = await once(child, "exit");
  assert.equal(code, 0);
  assert.match(said.join(""), /up[\s\S]*closed/);

  const dying = run("void Promise.reject(new Error('stray'));");
  let logged = "";
  dying.stderr.on("data", (data: Buffer) => {
    logged += String(data);
  });
  const [dyingCode] = await once(dying, "close");
  assert.equal(dyingCode, 1);
  assert.equal(JSON.parse(logged.trim().split("\n")[0] ?? "").error.message, "stray");
});
