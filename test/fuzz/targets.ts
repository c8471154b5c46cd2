// The parsers that read what anybody may send.
import type { FuzzTarget } from "./fuzz.ts";
import { POLICY_TARGET } from "./policy-target.ts";
import { POST_FORM_TARGET } from "./post-form-target.ts";
import { SIGV4_TARGET } from "./sigv4-target.ts";
import { TOKEN_TARGET } from "./token-target.ts";
import { XML_TARGET } from "./xml-target.ts";

export const TARGETS: readonly FuzzTarget[] = [
  SIGV4_TARGET,
  POLICY_TARGET,
  POST_FORM_TARGET,
  TOKEN_TARGET,
  XML_TARGET,
];
