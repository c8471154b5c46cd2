// The cluster-wide stop of garbage collection: shown, set and released by an operator. Restored
// backups and alarms of keepers set it too.
import * as Type from "../../../lib/base/settings-schema.ts";
import { ROOT_GROUP } from "../../../lib/clients/groups.ts";
import { Outcome } from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { type AdminAnswer, json } from "../admin-answer.ts";
import { AdminError } from "../admin-error.ts";
import { type AdminContext, type AdminOperation, withBody } from "../admin-operation.ts";
import { body } from "../identity/field-schemas.ts";
import { mapOf } from "./cluster-operations.ts";

export const GARBAGE_OPERATIONS: readonly AdminOperation[] = [
  {
    name: "GetGarbage",
    method: "GET",
    path: "/garbage",
    summary: "Whether garbage and orphans are kept (frozen), since when and why.",
    admission: { action: "dolium:GetCluster" },
    run: shown,
  },
  withBody({
    name: "FreezeGarbage",
    method: "POST",
    path: "/garbage/freeze",
    summary: "Keep garbage and orphans from now on; what stands keeps its reason and time.",
    admission: { action: "dolium:FreezeGarbage" },
    body: body({ reason: Type.String({ minLength: 1, maxLength: 200 }) }),
    run: (context, { reason }) => change(context, { frozen: true, reason }),
  }),
  {
    name: "ReleaseGarbage",
    method: "POST",
    path: "/garbage/release",
    summary: "Let keepers delete garbage and orphans again.",
    admission: { action: "dolium:FreezeGarbage" },
    run: (context) => change(context, { frozen: false, reason: "" }),
  },
];

async function change(
  context: AdminContext,
  value: { readonly frozen: boolean; readonly reason: string },
): Promise<AdminAnswer> {
  const { metadata, events } = context.deps;
  const reply = await metadata.execute(ROOT_GROUP, { case: "setGarbageFreeze", value });
  if (reply.outcome !== Outcome.OK) throw new AdminError(409, "Conflict", reply.message);
  const text = value.frozen ? `garbage is frozen: ${value.reason}` : "garbage is released";
  events.add("garbage", text, { frozen: value.frozen });
  return shown(context);
}

async function shown({ deps }: AdminContext): Promise<AdminAnswer> {
  const { garbageFreeze } = await mapOf(deps);
  if (garbageFreeze === undefined) return json({ frozen: false });
  const { reason, sinceMs } = garbageFreeze;
  return json({ frozen: true, reason, since: new Date(Number(sinceMs)).toISOString() });
}
