// An operator hands the lead of a group to another replica: it leads when the answer comes. Who
// does not lead, or is no voter, refuses.
import { test } from "node:test";
import { toStoreError } from "../../../services/lib/base/errors.ts";
import { MetadataService } from "../../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { addressOf, TestCluster, until } from "./cluster.ts";

const GROUP = 2;
const DEADLINE_MS = 20_000;

test("the lead goes to the replica that is named", async (t) => {
  const cluster = await TestCluster.start(t);
  await cluster.serving();
  const ask = (name: string) => {
    const channel = cluster.transport.channel(addressOf(name));
    return {
      status: () =>
        channel.unary(MetadataService.method.replicaStatus, {}, { deadlineMs: DEADLINE_MS }),
      transfer: (groupId: number, toReplicaId: bigint) =>
        channel.unary(
          MetadataService.method.transferLeadership,
          { groupId, toReplicaId },
          { deadlineMs: DEADLINE_MS },
        ),
    };
  };
  const codeOf = async (call: Promise<unknown>): Promise<string> => {
    try {
      await call;
      return "ok";
    } catch (error) {
      return toStoreError(error).code;
    }
  };
  const leader = (): string => cluster.leader(GROUP) ?? "";
  // On a slow machine the lead may move by itself at any time: each is asked until it is so.
  const comesTo = (code: string, call: () => Promise<unknown>): Promise<void> =>
    until(code, async () => (await codeOf(call())) === code);
  await until("a leader", () => leader() !== "");
  const heir = cluster.names.find((name) => name !== leader()) ?? "";
  const { replicaId } = await ask(heir).status();
  await comesTo("not-found", () => ask(heir).transfer(99, replicaId));
  await comesTo("invalid", () => ask(leader()).transfer(GROUP, 12345n));
  await until("the heir leads", async () => {
    if (leader() === heir) return true;
    await ask(leader()).transfer(GROUP, replicaId);
    return leader() === heir;
  });
  const other = (): string => cluster.names.find((name) => name !== leader()) ?? "";
  await comesTo("not-leader", () => ask(other()).transfer(GROUP, replicaId));
});
