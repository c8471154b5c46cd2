// Settings of provisioning: where the file is, how often it is looked at. Nothing here is secret.
import * as Type from "../../../lib/base/settings-schema.ts";

export const PROVISIONING_SETTINGS = Type.Object(
  {
    file: Type.String({
      default: "",
      description:
        "JSON file of buckets, policies, groups, users and tokens that gateways see to; empty: none.",
    }),
    checkMs: Type.Integer({
      minimum: 100,
      default: 10_000,
      description: "How often the file and those that it names are looked at for changes.",
    }),
    repeatMs: Type.Integer({
      minimum: 1000,
      default: 300_000,
      description: "How often all of it is seen to again though no file changed.",
    }),
  },
  { additionalProperties: false },
);

export type ProvisioningSettings = Type.Static<typeof PROVISIONING_SETTINGS>;
