// Lines of the log, many to a write: in order, none lost when the process ends by itself, by exit
// or by an error, and warnings at once.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { mock, test } from "node:test";
import { LineBatches } from "../../../services/lib/host/line-batches.ts";

test("lines of ten milliseconds go out in one write, and nothing is left planned", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const write = mock.fn((_text: string) => undefined);
  const listeners = process.listenerCount("exit");
  const batches = new LineBatches({ write });
  for (let at = 0; at < 100; at += 1) batches.write(`${at}\n`);
  assert.equal(write.mock.callCount(), 0);
  t.mock.timers.tick(10);
  assert.equal(write.mock.callCount(), 1);
  const expected = Array.from({ length: 100 }, (_, at) => `${at}\n`).join("");
  assert.deepEqual(write.mock.calls[0]?.arguments, [expected]);
  assert.equal(process.listenerCount("exit"), listeners);
  t.mock.timers.tick(1000);
  assert.equal(write.mock.callCount(), 1);
  batches.write("next\n");
  t.mock.timers.tick(10);
  assert.deepEqual(write.mock.calls[1]?.arguments, ["next\n"]);
});

test("what waits is bounded, and is let out on request", () => {
  const written: string[] = [];
  const batches = new LineBatches({ write: (text: string) => void written.push(text) });
  const line = `${"x".repeat(1023)}\n`;
  for (let at = 0; at < 64; at += 1) batches.write(line);
  assert.deepEqual(written, [line.repeat(64)]);
  batches.write("a\n");
  batches.flush();
  batches.flush();
  assert.deepEqual(written.slice(1), ["a\n"]);
});

const host = join(import.meta.dirname, "../../../services/lib/host");

/** What a process that logs so and ends so has on stderr. */
async function messagesOf(acts: string): Promise<string[]> {
  const program = `
    import { createLog } from ${JSON.stringify(join(host, "log.ts"))};
    const log = createLog();
    ${acts}
  `;
  const args = ["--input-type=module-typescript", "--eval", program];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (data: string) => {
    text += data;
  });
  await once(child, "close");
  const lines = text.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line).message);
}

const ENDS = [
  ["by itself", `log.info("one"); log.info("two");`],
  ["by exit", `log.info("one"); log.info("two"); process.exit(3);`],
  ["by an error", `log.info("one"); log.info("two"); throw new Error("at last");`],
  // Nothing runs any more after a kill: the warning, and what came before it, was written before.
  ["killed", `log.info("one"); log.warn("two"); process.kill(process.pid, "SIGKILL");`],
] as const;

for (const [how, acts] of ENDS) {
  test(`every line of a process that ends ${how} is there`, async () => {
    assert.deepEqual(await messagesOf(acts), ["one", "two"]);
  });
}
