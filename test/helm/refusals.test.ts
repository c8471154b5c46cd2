// Values that cannot work are refused before anything is installed, with a sentence that says why.
import assert from "node:assert/strict";
import { test } from "node:test";
import { manifests, refusalOf, type Values, withoutHelm } from "./chart.ts";

const REFUSED: readonly (readonly [Values, RegExp])[] = [
  [{ mode: "ring" }, /at '\/mode': value must be one of/],
  [{ replicas: 0 }, /at '\/replicas': minimum: got 0, want 1/],
  [{ replicas: "three" }, /at '\/replicas': got string, want integer/],
  [{ image: { tags: "1" } }, /at '\/image': additional properties 'tags' not allowed/],
  [{ image: { digest: "sha256:12" } }, /at '\/image\/digest': .* does not match pattern/],
  [{ persistence: { size: "50 GB" } }, /at '\/persistence\/size'/],
  [{ persistence: { accessMode: "ReadWriteMany" } }, /at '\/persistence\/accessMode'/],
  [{ config: { s3: { regoin: "x" } } }, /at '\/config\/s3': additional properties 'regoin'/],
  [{ config: { s3: { inlineBytes: -1 } } }, /at '\/config\/s3\/inlineBytes': minimum/],
  [{ tls: { mode: "auto" } }, /at '\/tls\/mode'/],
  [{ zones: [{ name: "A b", replicas: 1 }] }, /at '\/zones\/0\/name'/],
  [{ zones: [{ name: "a" }] }, /missing property 'replicas'/],
  [{ metadata: { replicas: 4 } }, /at '\/metadata\/replicas': value must be one of/],
  [{ service: { type: "Headless" } }, /at '\/service\/type'/],
  [{ provisioning: { users: [{ nam: "a" }] } }, /at '\/provisioning\/users\/0'/],
  [{ provisioning: { buckets: [{ name: "ab" }] } }, /minLength: got 2, want 3/],
  [{ buckets: [{ name: "abc", policy: "everything" }] }, /at '\/buckets\/0\/policy'/],
  [{ cosi: { deletionPolicy: "Maybe" } }, /at '\/cosi\/deletionPolicy'/],
  [{ mode: "standalone", zones: [{ name: "a", replicas: 1 }] }, /zones need mode: split/],
  [{ zones: [{ name: "a", replicas: 1 }] }, /zones need mode: split/],
  [{ replicas: 2 }, /cannot lose a pod without losing the majority of metadata/],
  [{ metadata: { replicas: 5 } }, /metadata.replicas is 5, more than the 3 pods/],
  [{ tls: { mode: "secret" } }, /tls.mode secret needs tls.existingSecret/],
  [{ tls: { mode: "certManager" } }, /needs tls.certManager.issuerRef/],
  [{ internalTls: { mode: "certManager" } }, /needs internalTls.issuerRef/],
  [{ gatewayApi: { httpRoute: { enabled: true } } }, /a route needs parentRefs/],
  [
    { gatewayApi: { parentRefs: [{ name: "public" }], tlsRoute: { enabled: true } } },
    /gatewayApi.tlsRoute needs gatewayApi.hostnames, or campus.publicHost/,
  ],
  [{ init: { enabled: false } }, /init.enabled is off: then auth.existingSecret/],
  [{ rootUser: "admin", rootPassword: "short" }, /the root password needs 8 characters/],
  [
    { durability: { data: 8, parity: 4 } },
    /8 data and 4 parity shards need 12 drives; there are 6/,
  ],
  [{ gateway: { perZone: true } }, /gateway.perZone needs zones/],
  [{ gateway: { onEveryNode: true } }, /gateway.onEveryNode needs mode: split/],
  [
    { mode: "split", gateway: { onEveryNode: true, autoscaling: { enabled: true } } },
    /gateway.autoscaling must be off/,
  ],
  [{ persistence: { existingClaim: "data" } }, /it needs mode standalone/],
  [
    {
      campus: {
        seeds: [
          { name: "a", address: "a:1" },
          { name: "b", address: "b:1" },
        ],
      },
    },
    /auth.existingClusterSecret must name a Secret/,
  ],
  [{ campus: { seeds: [{ name: "a", address: "a:1" }] } }, /are an even number/],
  [{ buckets: [{ name: "abc", purge: true }] }, /buckets are never emptied by values/],
  [{ users: [{ accessKey: "abc" }] }, /users: abc needs secretKey/],
  [{ ingress: { enabled: true, hosts: ["a.*.example.org"] } }, /does not match pattern/],
  [{ gatewayApi: { hostnames: ["*"] } }, /does not match pattern/],
  [{ ingress: { enabled: true } }, /ingress.enabled needs ingress.hosts/],
  [
    {
      gatewayApi: { tlsRoute: { enabled: true }, parentRefs: [{ name: "g" }] },
      tls: { mode: "none" },
    },
    /passes TLS through/,
  ],
];

for (const [values, sentence] of REFUSED) {
  test(`refuses ${JSON.stringify(values)}`, { skip: withoutHelm }, () => {
    assert.match(refusalOf(values), sentence);
  });
}

test("is open where parent charts keep values of their own", { skip: withoutHelm }, () => {
  const values = { enabled: true, ofTheParent: { a: 1 }, global: { ofTheParent: true } };
  assert.ok(manifests({ values }).length > 5);
});
