// The directory in memory: what is revoked is gone in time, whoever cannot follow serves nobody,
// and many who ask at once cost one question.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { IdentityDirectory } from "../../../services/lib/clients/identity-directory.ts";
import { IdentityEditor } from "../../../services/lib/clients/identity-editor.ts";
import { IdentityTables } from "../../../services/lib/clients/identity-view.ts";
import {
  IdentityKind,
  IdentityRecordSchema,
  TokenAccess,
} from "../../../services/lib/gen/dolium/record/v1/identity_pb.ts";
import { createLog } from "../../../services/lib/host/log.ts";
import { SimClock, settle } from "../../sim/clock.ts";
import { MachineMetadata, refusedAs } from "./machine-metadata.ts";

const log = createLog({ level: "silent" });
const sealedSecret = Buffer.from("sealed");

function rig(t: TestContext) {
  const service = new MachineMetadata(t);
  const clock = new SimClock();
  const metadata = service.client;
  const directory = new IdentityDirectory({ metadata, clock, log });
  /** Changes by another process. */
  const editor = new IdentityEditor({ metadata });
  t.after(() => directory.stop());
  const pass = async (ms: number): Promise<void> => {
    await clock.run(clock.monotonicMs() + ms);
    await service.idle();
    await settle();
  };
  return { service, clock, metadata, directory, editor, pass };
}

const queries = (service: MachineMetadata): number =>
  service.asked.filter((what) => what === "listIdentities").length;

test("what users are known by leads to them, until it is taken away", async (t) => {
  const { directory, editor } = rig(t);
  const digest = Buffer.alloc(32, 1);
  const fingerprint = Buffer.alloc(32, 2);
  await editor.createPolicy({ name: "readers", document: "{}" });
  await editor.createGroup({ name: "staff", attachedPolicies: ["readers"] });
  await editor.createRole({ name: "visitor", trustPolicy: "{}" });
  await editor.createUser({
    name: "ann_org",
    email: "ann@example.org",
    federated: ["https://idp 1"],
    groups: ["staff"],
    keys: [{ accessKeyId: "KEY1", sealedSecret }],
    tokens: [{ tokenId: "0123456789abcdef", digest, access: TokenAccess.READ }],
    certificates: [{ fingerprint }],
  });
  const view = await directory.view();
  assert.equal(view.revision, 4n);
  assert.equal(view.byAccessKey("KEY1")?.user.name, "ann_org");
  assert.equal(view.byAccessKey("KEY1")?.key.accessKeyId, "KEY1");
  assert.equal(view.byToken(digest)?.token.tokenId, "0123456789abcdef");
  assert.equal(view.byCertificate(fingerprint)?.user.name, "ann_org");
  assert.equal(view.byEmail("ann@example.org")?.name, "ann_org");
  assert.equal(view.byFederated("https://idp 1")?.name, "ann_org");
  assert.deepEqual(
    [...view.groups()].map(({ name }) => name),
    ["staff"],
  );
  assert.deepEqual(
    [...view.policies()].map(({ name }) => name),
    ["readers"],
  );
  assert.deepEqual(
    [...view.roles()].map(({ name }) => name),
    ["visitor"],
  );
  assert.equal(view.policy("readers")?.document, "{}");
  assert.equal(view.role("visitor")?.trustPolicy, "{}");
  assert.equal(view.revisionOf(IdentityKind.USER, "ann_org"), 4n);
  assert.equal(view.revisionOf(IdentityKind.USER, "bob_org"), undefined);
  await editor.changeUser("ann_org", (user) => ({ ...user, keys: [], tokens: [], email: "" }));
  const next = await directory.refresh();
  assert.equal(next.byAccessKey("KEY1"), undefined);
  assert.equal(next.byToken(digest), undefined);
  assert.equal(next.byEmail("ann@example.org"), undefined);
  assert.equal(next.byCertificate(fingerprint)?.user.name, "ann_org");
  await editor.deleteUser("ann_org");
  const last = await directory.refresh();
  assert.equal(last.byCertificate(fingerprint), undefined);
  assert.equal(last.byFederated("https://idp 1"), undefined);
  assert.deepEqual([...last.users()], []);
  assert.equal(last.revisionOf(IdentityKind.USER, "ann_org"), undefined);
});

test("a revoked key is gone after half a second of following", async (t) => {
  const { directory, editor, pass } = rig(t);
  await editor.createUser({ name: "ann_org", keys: [{ accessKeyId: "KEY1", sealedSecret }] });
  directory.start();
  directory.start();
  await pass(0);
  assert.equal((await directory.view()).byAccessKey("KEY1")?.user.name, "ann_org");
  await editor.changeUser("ann_org", (user) => ({ ...user, keys: [] }));
  await pass(499);
  assert.equal((await directory.view()).byAccessKey("KEY1")?.user.name, "ann_org");
  await pass(1);
  assert.equal((await directory.view()).byAccessKey("KEY1"), undefined);
});

test("a view that is too old is refused while nobody answers", async (t) => {
  const { service, directory, pass } = rig(t);
  directory.start();
  await pass(0);
  service.down();
  await pass(1500);
  assert.equal((await directory.view()).revision, 0n);
  await pass(1);
  await assert.rejects(directory.view(), refusedAs("unavailable", "no leader"));
  service.up();
  assert.equal((await directory.view()).revision, 0n);
});

test("a directory that was never loaded is no empty one", async (t) => {
  const { service, directory } = rig(t);
  service.down();
  await assert.rejects(directory.view(), refusedAs("unavailable"));
});

test("following goes on after a failure, and stops when it is told to", async (t) => {
  const { service, directory, pass } = rig(t);
  directory.start();
  await pass(0);
  service.down();
  await pass(600);
  service.up();
  await pass(500);
  const { length } = service.asked;
  await pass(500);
  assert.equal(service.asked.length, length + 1);
  directory.stop();
  await pass(5000);
  assert.equal(service.asked.length, length + 1);
});

test("many who ask at once share one question", async (t) => {
  const { service, directory, pass } = rig(t);
  await Promise.all(Array.from({ length: 50 }, () => directory.view()));
  assert.equal(queries(service), 1);
  await pass(1501);
  await Promise.all(Array.from({ length: 50 }, () => directory.view()));
  assert.equal(queries(service), 2);
});

test("a refresh is not content with an answer that was under way", async (t) => {
  const { service, directory, editor } = rig(t);
  const { promise, resolve } = Promise.withResolvers<void>();
  const machine = await service.machine(1);
  // The first question is answered, and its answer held back, while the user is made.
  let isFirst = true;
  const query = machine.query.bind(machine);
  machine.query = async (kind) => {
    const answer = await query(kind);
    if (kind.case === "listIdentities" && isFirst) {
      isFirst = false;
      await promise;
    }
    return answer;
  };
  const early = directory.view();
  while (queries(service) === 0) await settle();
  await settle();
  await editor.createUser({ name: "ann_org" });
  const late = Promise.all([directory.refresh(), directory.refresh()]);
  resolve();
  await early;
  for (const view of await late) assert.equal(view.user("ann_org")?.name, "ann_org");
  assert.ok(queries(service) <= 3);
});

test("a change by this process is in its next view", async (t) => {
  const { metadata, directory } = rig(t);
  const editor = new IdentityEditor({ metadata, directory });
  await directory.view();
  await editor.createUser({ name: "ann_org" });
  assert.equal((await directory.view()).user("ann_org")?.name, "ann_org");
  await editor.deleteUser("ann_org");
  assert.equal((await directory.view()).user("ann_org"), undefined);
});

test("a caller who gives up gets his answer at once, others get theirs", async (t) => {
  const { service, directory } = rig(t);
  const { promise, resolve } = Promise.withResolvers<void>();
  service.before = () => promise;
  const controller = new AbortController();
  const gone = directory.view({ signal: controller.signal });
  const stays = directory.view();
  controller.abort();
  await assert.rejects(gone, refusedAs("aborted"));
  resolve();
  assert.equal((await stays).revision, 0n);
});

test("a directory that went back is loaded anew", async (t) => {
  const { service, directory, editor } = rig(t);
  await editor.createUser({ name: "ann_org", keys: [{ accessKeyId: "KEY1", sealedSecret }] });
  await editor.createUser({ name: "bob_org" });
  assert.equal((await directory.view()).revision, 2n);
  const other = new MachineMetadata(t);
  await new IdentityEditor({ metadata: other.client }).createUser({ name: "carl_org" });
  const machine = await service.machine(1);
  await machine.state.close();
  machine.state = (await other.machine(1)).state;
  const view = await directory.refresh();
  assert.deepEqual(
    [...view.users()].map(({ name }) => name),
    ["carl_org"],
  );
  assert.equal(view.byAccessKey("KEY1"), undefined);
});

test("a key that moved to another user stays his, in whatever order changes come", () => {
  const tables = new IdentityTables();
  const take = (name: string, revision: bigint, ids: readonly string[]): void => {
    const keys = ids.map((accessKeyId) => ({ accessKeyId }));
    const kind = { case: "user" as const, value: { name, keys } };
    tables.take(create(IdentityRecordSchema, { revision, kind }));
  };
  take("ann_org", 1n, ["KEY1"]);
  // The page has ann's record after bob's, since she was changed once more.
  take("bob_org", 3n, ["KEY1"]);
  take("ann_org", 4n, []);
  assert.equal(tables.byAccessKey("KEY1")?.user.name, "bob_org");
});
