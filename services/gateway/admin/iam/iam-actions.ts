// Every action of IAM that is understood.

import { BOUNDARY_ACTIONS } from "./boundary-actions.ts";
import { GROUP_ACTIONS } from "./group-actions.ts";
import type { IamAction } from "./iam-action.ts";
import { POLICY_ACTIONS } from "./policy-actions.ts";
import { ROLE_ACTIONS } from "./role-actions.ts";
import { USER_ACTIONS } from "./user-actions.ts";

export const IAM_ACTIONS: readonly IamAction[] = [
  ...USER_ACTIONS,
  ...GROUP_ACTIONS,
  ...POLICY_ACTIONS,
  ...ROLE_ACTIONS,
  ...BOUNDARY_ACTIONS,
];
