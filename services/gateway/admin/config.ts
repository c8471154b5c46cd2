// Settings of the admin port of a gateway. Nothing here is secret.
import * as Type from "../../lib/base/settings-schema.ts";

export const ADMIN_ADDRESS = "127.0.0.1:9001";

export const ADMIN_SETTINGS = Type.Object(
  {
    enabled: Type.Boolean({
      default: true,
      description: "Listen on the admin port: admin API, IAM, STS, console.",
    }),
    address: Type.String({
      default: ADMIN_ADDRESS,
      pattern: "^.+:[0-9]{1,5}$",
      description:
        "host:port of the admin port; off loopback only with TLS or admin.allowHttp. Left as it is, another port is taken where 9001 is in use.",
    }),
    allowHttp: Type.Boolean({
      default: false,
      description: "Serve the admin port without TLS off loopback, where a proxy ends TLS.",
    }),
    s3Endpoint: Type.String({
      default: "",
      description: "Address of S3 that the console shows and signs for; empty: as it is reached.",
    }),
  },
  { additionalProperties: false },
);

export type AdminSettings = Type.Static<typeof ADMIN_SETTINGS>;
