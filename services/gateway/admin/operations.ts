// Every operation of the admin API, in the order of its reference.
import type { AdminOperation } from "./admin-operation.ts";
import { CLUSTER_OPERATIONS } from "./cluster/cluster-operations.ts";
import { GARBAGE_OPERATIONS } from "./cluster/garbage.ts";
import { LAYOUT_OPERATIONS } from "./cluster/layout.ts";
import { RAFT_OPERATIONS } from "./cluster/raft.ts";
import { GROUP_OPERATIONS } from "./identity/groups.ts";
import { KEY_OPERATIONS } from "./identity/keys.ts";
import { POLICY_OPERATIONS } from "./identity/policies.ts";
import { CHECK_OPERATIONS } from "./identity/policy-check.ts";
import { ROLE_OPERATIONS } from "./identity/roles.ts";
import { USER_OPERATIONS } from "./identity/users.ts";
import { SIGN_IN_OPERATIONS } from "./sign-in/sign-in.ts";
import { BUCKET_OPERATIONS } from "./storage/buckets.ts";
import { PRESIGN_OPERATIONS } from "./storage/presign.ts";
import { VERIFY_OPERATIONS } from "./storage/verify.ts";
import { SUPPORT_OPERATIONS } from "./support/support-operations.ts";
import { PROMETHEUS_OPERATIONS } from "./watch/prometheus-targets.ts";
import { WATCH_OPERATIONS } from "./watch/watch-operations.ts";

export const ADMIN_OPERATIONS: readonly AdminOperation[] = [
  ...SIGN_IN_OPERATIONS,
  ...USER_OPERATIONS,
  ...KEY_OPERATIONS,
  ...GROUP_OPERATIONS,
  ...POLICY_OPERATIONS,
  ...ROLE_OPERATIONS,
  ...CHECK_OPERATIONS,
  ...BUCKET_OPERATIONS,
  ...PRESIGN_OPERATIONS,
  ...VERIFY_OPERATIONS,
  ...CLUSTER_OPERATIONS,
  ...RAFT_OPERATIONS,
  ...GARBAGE_OPERATIONS,
  ...LAYOUT_OPERATIONS,
  ...WATCH_OPERATIONS,
  ...PROMETHEUS_OPERATIONS,
  ...SUPPORT_OPERATIONS,
];
