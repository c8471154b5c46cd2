// Last uses: the latest of each id, once a minute and on the way out; what could not be written
// waits.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { IdentityEditor } from "../../../services/lib/clients/identity-editor.ts";
import { UseRecorder } from "../../../services/lib/clients/use-recorder.ts";
import { createLog } from "../../../services/lib/host/log.ts";
import { SimClock, settle } from "../../sim/clock.ts";
import { MachineMetadata } from "./machine-metadata.ts";

async function rig(t: TestContext, ids: readonly string[] = ["KEY1", "KEY2"]) {
  const service = new MachineMetadata(t);
  const clock = new SimClock();
  const metadata = service.client;
  const log = createLog({ level: "silent" });
  const keys = ids.map((accessKeyId) => ({ accessKeyId, sealedSecret: Buffer.from("x") }));
  await new IdentityEditor({ metadata }).createUser({ name: "ann_org", keys });
  const recorder = new UseRecorder({ metadata, clock, log });
  t.after(() => recorder.stop());
  const pass = async (ms: number): Promise<void> => {
    await clock.run(clock.monotonicMs() + ms);
    await service.idle();
    await settle();
  };
  const told = async (): Promise<string[]> => {
    const machine = await service.machine(1);
    const { uses } = await machine.query({ case: "listUses", value: { ids: [...ids] } });
    return uses.map(({ id, usedMs, action, origin }) => {
      return `${id} ${Number(usedMs) - clock.wallOffsetMs} ${action} ${origin}`;
    });
  };
  const writes = (): number => service.asked.filter((what) => what === "recordUses").length;
  return { service, recorder, pass, told, writes };
}

test("the latest use of each id is written once a minute", async (t) => {
  const { recorder, pass, told, writes } = await rig(t);
  recorder.start();
  recorder.start();
  recorder.touch("KEY1", "s3:GetObject", "::1");
  await pass(10);
  recorder.touch("KEY1", "s3:PutObject", "::2");
  recorder.touch("KEY2", "s3:ListBucket", "::3");
  recorder.touch("NOBODY", "s3:ListBucket", "::3");
  await pass(59_980);
  assert.deepEqual(await told(), []);
  await pass(10);
  assert.deepEqual(await told(), ["KEY1 10 s3:PutObject ::2", "KEY2 10 s3:ListBucket ::3"]);
  assert.equal(writes(), 1);
  await pass(120_000);
  // Nothing was used, so nothing is written.
  assert.equal(writes(), 1);
  recorder.touch("KEY1", "s3:GetObject", "::1");
  await pass(60_000);
  assert.equal(writes(), 2);
});

test("what waits is written when the recorder stops", async (t) => {
  const { recorder, told, pass, writes } = await rig(t);
  recorder.start();
  recorder.touch("KEY1", "s3:GetObject", "::1");
  await recorder.stop();
  assert.deepEqual(await told(), ["KEY1 0 s3:GetObject ::1"]);
  await pass(300_000);
  assert.equal(writes(), 1);
});

test("what could not be written goes on waiting, behind later uses", async (t) => {
  const { service, recorder, pass, told } = await rig(t);
  recorder.start();
  recorder.touch("KEY1", "early", "::1");
  recorder.touch("KEY2", "early", "::1");
  service.before = async () => {
    recorder.touch("KEY1", "late", "x".repeat(5000));
    service.down();
    await service.before("");
  };
  await pass(60_000);
  assert.deepEqual(await told(), []);
  service.up();
  await recorder.flush();
  assert.deepEqual(await told(), [`KEY1 60000 late ${"x".repeat(200)}`, "KEY2 0 early ::1"]);
});

test("more ids than fit one command go in several, and their number is bounded", async (t) => {
  const { recorder, writes } = await rig(t);
  for (let at = 0; at < 12_000; at += 1) recorder.touch(`K${at}`, "a", "o");
  await recorder.flush();
  assert.equal(writes(), 10);
});
