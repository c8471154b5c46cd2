// The parsers that read what anybody may send.
import { CHUNKED_TARGET } from "./chunked-target.ts";
import type { FuzzTarget } from "./fuzz.ts";
import { POLICY_TARGET } from "./policy-target.ts";
import { POST_FORM_TARGET } from "./post-form-target.ts";
import { RANGE_TARGET } from "./range-target.ts";
import { REQUEST_TARGET } from "./request-target.ts";
import { SETTINGS_TARGET } from "./settings-target.ts";
import { SIGV4_TARGET } from "./sigv4-target.ts";
import { TOKEN_TARGET } from "./token-target.ts";
import { XML_TARGET } from "./xml-target.ts";

export const TARGETS: readonly FuzzTarget[] = [
  SIGV4_TARGET,
  POLICY_TARGET,
  POST_FORM_TARGET,
  TOKEN_TARGET,
  XML_TARGET,
  RANGE_TARGET,
  CHUNKED_TARGET,
  REQUEST_TARGET,
  SETTINGS_TARGET,
];
