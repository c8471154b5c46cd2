// The cheap signer of the load processes signs as the signer of lib/s3 does.
import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestSigner, UNSIGNED } from "../../../benchmarks/load/request-signer.ts";
import { signHeaders } from "../../../services/lib/s3/sigv4/sign.ts";

const NOW_MS = Date.UTC(2026, 10, 21, 23, 59, 58, 999);

test("signatures are those of the whole signer, on the next day too", () => {
  const endpoint = {
    url: "http://127.0.0.1:9000",
    region: "eu-west-1",
    accessKeyId: "AKIDEXAMPLE",
    secretAccessKey: "secret",
  };
  const signer = new RequestSigner(endpoint);
  for (const nowMs of [NOW_MS, NOW_MS + 5000]) {
    for (const query of ["", "list-type=2&prefix=a%2Fb", "uploads="]) {
      const request = { method: "GET", path: "/bucket/a/b", query, contentLength: 0 };
      const head = signer.head({ ...request, payloadHash: UNSIGNED }, nowMs);
      const target = query === "" ? request.path : `${request.path}?${query}`;
      const { headers } = signHeaders(
        { method: "GET", target, headers: [["Host", "127.0.0.1:9000"]] },
        { accessKeyId: "AKIDEXAMPLE", secret: "secret", region: "eu-west-1", nowMs },
        UNSIGNED,
      );
      const [, authorization] = headers.find(([name]) => name === "Authorization") ?? [];
      assert.ok(head.startsWith(`GET ${target} HTTP/1.1\r\n`));
      assert.ok(head.includes(`\r\nAuthorization: ${authorization}\r\n`), head);
    }
  }
});
