// What users of five systems do with them, line by line, and where each line is tested here. The
// key is the row's name; a row that cannot be run says why, in `waits`.

/** One line of the lists A (Pithos), B (CloudStack), C (Alluxio), D (OSiRIS), E (Ozone). */
export interface Row {
  readonly what: string;
  /** Tests other than those of test/clients that hold it; paths from the repository's root. */
  readonly tests?: readonly string[];
  /** What of the row is not run here, and why. */
  readonly waits?: string;
}

const NOT_OFFERED = "not to be had from the registries that the tests install from";

export const ROWS = {
  A1: {
    what: "s3cmd with signature_v2, use_https, virtual hosts: mb, put, get, ls, la, rm, sync, multipart",
  },
  A2: { what: "the same s3cmd file under SigV4; both on one bucket at once" },
  A3: { what: "s3cmd through a proxy: absolute-form request lines, routed by their host" },
  A4: { what: "service names: `bucket.name`, also with a port, several at once" },
  A5: {
    what: "TLS on the endpoint and plain HTTP both serve",
    tests: ["test/s3/tls.test.ts"],
  },
  A6: { what: "Apache libcloud: containers, upload, download, delete" },
  A7: { what: "Cyberduck: browse, upload, set ACL", waits: `duck is ${NOT_OFFERED}` },
  A8: {
    what: "ownCloud and Nextcloud external storage, path style: upload, list, rename, delete",
  },
  A9: { what: "s3fs mount, SigV2 and SigV4: rename, truncate, 100 MB file" },
  A10: { what: "WAL-E: wal-push from a running Postgres, backup-push" },
  A11: {
    what: "WAL-E restore: backup-fetch, wal-fetch, Postgres starts; living successors",
    waits: `WAL-G is ${NOT_OFFERED}; pgBackRest is run`,
  },
  A12: {
    what: "Elasticsearch snapshot repository: register, snapshot, restore, delete, `_analyze`",
  },
  A13: {
    what: "`signature_version = s3` in ~/.aws/config with AWS CLI v1 (newer ones sign with SigV4 all the same); profiles",
  },
  A14: { what: "`aws s3 ls --endpoint-url`, with and without --profile" },
  A15: { what: "boto3 Session().client('s3', endpoint_url), Session(profile_name)" },
  A16: { what: "boto 2 S3Connection with OrdinaryCallingFormat, secure port" },
  A17: { what: ".NET AWSSDK.S3 with SignatureVersion s3" },
  A18: { what: "AWS SDK for Java v1 with signer override S3SignerType" },
  A19: { what: "Java generatePresignedUrl (SigV2 query), GET by curl; expired is 403" },
  A20: {
    what: "rclone region other-v2-signature; Ansible with fakes3://; PHP SDK v2",
  },
  A21: {
    what: "Pithos habits: whitespace while assembling, masquerade, keystore, groups in ACLs",
    tests: [
      "test/s3/long-completion.test.ts",
      "test/s3/object-events.test.ts",
      "test/s3/masquerade.test.ts",
      "test/s3/keystore.test.ts",
      "test/s3/authorization-directory.test.ts",
    ],
  },
  B1: { what: "the S3 API is a switch: off, 503 ServiceUnavailable in XML" },
  B2: {
    what: "a page lists every supported action, made from the router",
    tests: ["test/tidy/operations.test.ts", "test/s3/supported-page.test.ts"],
  },
  B3: {
    what: "a report of quality with each release",
    tests: ["test/clients/matrix.test.ts", "test/tidy/quality.test.ts"],
  },
  B4: { what: "boto, AWS SDKs and s3cmd all pass" },
  B5: {
    what: "every S3 error: status, XML fields, type, no body on HEAD",
    tests: ["test/unit/gateway/error-mapper.test.ts", "test/unit/gateway/http.test.ts"],
  },
  B6: {
    what: "data on a local disk or mount; no right to write: refuses to start, names the path",
  },
  B7: {
    what: "API key and secret key shown to an administrator",
    tests: ["test/console/access.test.ts"],
  },
  B8: {
    what: "a self-signed certificate made by openssl is taken",
    tests: ["test/s3/tls.test.ts"],
  },
  B9: {
    what: "registration of keys and a certificate by the command",
    tests: ["test/cluster/cli-admin.test.ts", "test/s3/tls.test.ts"],
  },
  B10: { what: "boto with custom host, port and base path" },
  B11: { what: "a SOAP call gets a clean error" },
  C1: { what: "S3 under a base URI, signed over the prefixed path; also at /" },
  C2: {
    what: "optional `a:b:c` bucket name as a view of a sub-prefix",
    tests: ["test/s3/bucket-views.test.ts"],
  },
  C3: { what: "keys `/`, `//`, `a//b` and with a trailing `/` round-trip exactly" },
  C4: { what: "path style and virtual-host style" },
  C5: { what: "concurrent PUTs of one key: one of them wins whole" },
  C6: {
    what: "a `dir/` marker lists as an entry of 0 bytes; no phantom folders, unless set",
    tests: ["test/s3/object-settings.test.ts"],
  },
  C7: { what: "tag limits: 10 an object, 50 a bucket, key 128, value 256" },
  C8: { what: "user metadata over 2 KB: MetadataTooLarge" },
  C9: {
    what: "any gateway serves any request",
    tests: [
      "test/cluster/round-trip.test.ts",
      "test/campuses/clients.test.ts",
      "test/helm/rules.test.ts",
    ],
  },
  C10: { what: "simple authentication mode", tests: ["test/s3/access-tokens.test.ts"] },
  C11: { what: "every action through the AWS CLI as documented" },
  C12: { what: "the same by curl, with the XML fields shown" },
  C13: { what: "CopyObject: content type, source with and without /, directives" },
  C14: { what: "list parameters: delimiter, encoding-type, marker, max-keys, prefix, tokens" },
  C15: { what: "Complete with parts that lack an ETag" },
  C16: { what: "parts in progress never list; abort leaves nothing" },
  C17: { what: "empty tag set: NoSuchTagSet or an empty TagSet" },
  C18: {
    what: "bytes keep a long Complete alive",
    tests: ["test/s3/long-completion.test.ts", "test/s3/huge-objects.test.ts"],
  },
  C19: {
    what: "uploads idle for too long are aborted",
    tests: ["test/cluster/garbage.test.ts"],
  },
  C20: {
    what: "write acknowledgement chosen by bucket",
    tests: ["test/campuses/acknowledgement.test.ts", "test/unit/keeper/follow.test.ts"],
  },
  C21: { what: "boto 2 walk: bucket, list, small and 8 MB bodies, multipart, delete" },
  D1: {
    what: "one DNS name with several records, any of them serves",
    tests: ["test/campuses/clients.test.ts"],
  },
  D2: { what: "names of campuses", tests: ["test/campuses/clients.test.ts"] },
  D3: {
    what: "certificates with global, campus and wildcard names",
    tests: ["test/s3/tls.test.ts", "test/cluster/mtls.test.ts", "test/helm/start.test.ts"],
  },
  D4: { what: "users who reach only their campus", tests: ["test/campuses/clients.test.ts"] },
  D5: { what: "token as access key, secret empty or ignored" },
  D6: { what: "tokens made and revoked by oneself" },
  D7: {
    what: "one identity for each organisational unit",
    tests: ["test/s3/authorization-directory.test.ts"],
  },
  D8: { what: "a new bucket is private to its identity" },
  D9: { what: "sharing by ACL grant to another user" },
  D10: { what: "several key pairs a user" },
  D11: { what: "the documentation shows the endpoint line for each client" },
  D12: { what: "boto 2, boto3, s3cmd and Cyberduck", waits: `Cyberduck is ${NOT_OFFERED}` },
  E1: {
    what: "the gateway is a process of its own, stateless",
    tests: ["test/cluster/round-trip.test.ts", "test/cluster/kills.test.ts"],
  },
  E2: { what: "`docker compose up -d`, scaled", tests: ["test/containers/compose.test.ts"] },
  E3: { what: "both URL forms; one domain setting turns virtual hosts on" },
  E4: {
    what: "`GET /bucket?browser=true`",
    tests: ["test/s3/bucket-browser.test.ts"],
  },
  E5: {
    what: "service, bucket, object, range and multipart actions of Ozone's page, and its gaps",
  },
  E6: { what: "development mode: any key and secret", tests: ["test/s3/access-tokens.test.ts"] },
  E7: {
    what: "the command line shows where a bucket lives",
    tests: ["test/cluster/cli-admin.test.ts"],
  },
  E8: { what: "`aws s3api create-bucket`, `aws s3 ls` with an endpoint" },
  E9: {
    what: "goofys, mountpoint-s3, geesefs mounts",
    waits: `they are ${NOT_OFFERED}; s3fs and rclone are run`,
  },
} as const satisfies Record<string, Row>;

export type RowName = keyof typeof ROWS;

/** Rows in their order, with all fields. */
export function allRows(): readonly (readonly [RowName, Row])[] {
  // The keys of a constant of this file.
  return Object.entries(ROWS) as unknown as readonly (readonly [RowName, Row])[];
}
