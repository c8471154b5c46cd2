// Settings of the S3 side of a gateway, as a JSON Schema with defaults: the source of the
// checked configuration file, of its environment names and of its documentation. Nothing here is
// secret.
import { HEADER_BYTES_MAX, INLINE_BYTES_MAX, USER_METADATA_BYTES_MAX } from "../lib/base/limits.ts";
import * as Type from "../lib/base/settings-schema.ts";

const KIB = 1024;

export const S3_SETTINGS = Type.Object(
  {
    enabled: Type.Boolean({
      default: true,
      description: "Off: every S3 request is answered 503 ServiceUnavailable.",
    }),
    address: Type.String({ default: "0.0.0.0", description: "Address to listen on." }),
    port: Type.Integer({
      minimum: 0,
      maximum: 65_535,
      default: 9000,
      description: "Port to listen on; 0 picks a free one.",
    }),
    region: Type.String({
      default: "us-east-1",
      pattern: "^[A-Za-z0-9-]{1,64}$",
      description: "Region that buckets report and signatures name.",
    }),
    strictRegion: Type.Boolean({
      default: false,
      description: "Refuse signatures and location constraints that name another region.",
    }),
    domains: Type.Array(Type.String({ minLength: 1, maxLength: 255 }), {
      default: [],
      description:
        "Service names, host or host:port: `bucket.name` addresses a bucket by its host.",
    }),
    basePaths: Type.Array(Type.String({ pattern: "^/[^?#]*$", maxLength: 255 }), {
      default: [],
      description: "Path prefixes under which the API is mounted besides `/`.",
    }),
    bucketViews: Type.Boolean({
      default: false,
      description: "A bucket name `a:b:c` is what lies under `b/c/` in bucket `a`.",
    }),
    websiteDomains: Type.Array(Type.String({ minLength: 1, maxLength: 255 }), {
      default: [],
      description:
        "Names under which buckets are served as web sites, `bucket.name`; none: no web sites.",
    }),
    tls: Type.Object(
      {
        certificateFile: Type.String({
          default: "",
          description: "Certificate chain (PEM) of the S3 port; empty: plain HTTP.",
        }),
        keyFile: Type.String({ default: "", description: "Its key (PEM)." }),
        certificateDirectory: Type.String({
          default: "",
          description: "Further certificates, NAME.crt with NAME.key, chosen by server name.",
        }),
        clientCaFile: Type.String({
          default: "",
          description: "Authorities (PEM) of client certificates; clients may then sign in by one.",
        }),
        pinnedClients: Type.Boolean({
          default: false,
          description: "Take registered client certificates of any issuer, self-signed ones too.",
        }),
        plainPort: Type.Integer({
          minimum: -1,
          maximum: 65_535,
          default: -1,
          description: "Serve plain HTTP too, on this port; 0 picks a free one, -1: none.",
        }),
        reloadMs: Type.Integer({
          minimum: 100,
          default: 10_000,
          description: "How often the files are looked at; changed ones are used from then on.",
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    trustedProxies: Type.Array(Type.String({ minLength: 2, maxLength: 64 }), {
      default: [],
      description:
        "Networks (CIDR) of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
    }),
    masquerade: Type.Boolean({
      default: false,
      description:
        "Administrators act for the user whom X-Amz-Masquerade-Tenant names, by their own keys.",
    }),
    supportedPage: Type.Boolean({
      default: true,
      description: "Serve the list of supported actions to everyone at `/_supported`.",
    }),
    campusEndpoint: Type.String({
      default: "",
      pattern: "^(https?://[^/?#]+)?$",
      description:
        "URL by which clients reach the gateways of this campus, told at `/.well-known/dolium`.",
    }),
    globalEndpoint: Type.String({
      default: "",
      pattern: "^(https?://[^/?#]+)?$",
      description: "URL by which clients reach the gateways of any campus, told there too.",
    }),
    console: Type.Boolean({
      default: true,
      description: "Serve the console at `/_console/` and the admin API at `/_admin/api/v1/`.",
    }),
    locations: Type.Record(Type.String(), Type.String({ minLength: 1, maxLength: 63 }), {
      default: {},
      description: "Placement policies by location constraint of CreateBucket.",
    }),
    objectOwnership: Type.Union(
      [
        Type.Literal("BucketOwnerEnforced"),
        Type.Literal("BucketOwnerPreferred"),
        Type.Literal("ObjectWriter"),
      ],
      {
        default: "BucketOwnerEnforced",
        description:
          "Ownership of new buckets that name none; BucketOwnerEnforced switches ACLs off.",
      },
    ),
    blockPublicAccess: Type.Boolean({
      default: true,
      description: "New buckets block all public access until their owner says otherwise.",
    }),
    emptyTagSet: Type.Union([Type.Literal("aws"), Type.Literal("alluxio")], {
      default: "aws",
      description:
        "What reading no tags of a bucket answers: NoSuchTagSet (aws), or no tags (alluxio).",
    }),
    inlineBytes: Type.Integer({
      minimum: 0,
      maximum: INLINE_BYTES_MAX,
      default: 16 * KIB,
      description: "Bodies up to this size are kept in the version record.",
    }),
    storageClasses: Type.Record(Type.String({ pattern: "^[A-Z0-9_]{1,64}$" }), Type.String(), {
      default: {},
      description:
        "Storage class to placement policy; other classes that are read at once keep the bucket's.",
    }),
    metadataBytesMax: Type.Integer({
      minimum: 0,
      default: USER_METADATA_BYTES_MAX,
      description: "Largest user metadata of an object, names and values; 0: no limit.",
    }),
    tagRestrictions: Type.Boolean({
      default: true,
      description: "Refuse tags over the number, lengths and characters that S3 allows.",
    }),
    completeKeepAliveMs: Type.Integer({
      minimum: 50,
      default: 10_000,
      description:
        "A CompleteMultipartUpload that takes longer answers 200 and white space this often.",
    }),
    completionsMax: Type.Integer({
      minimum: 1,
      default: 20,
      description: "Multipart uploads that one gateway completes at a time; others wait.",
    }),
    lenient: Type.Object(
      {
        partsWithoutEtag: Type.Boolean({
          default: false,
          description: "CompleteMultipartUpload accepts parts that are named without ETag.",
        }),
        unknownGrantees: Type.Boolean({
          default: false,
          description: "Grants and bucket policies may name users that do not exist.",
        }),
        impliedFolders: Type.Boolean({
          default: false,
          description: "Listings show `dir/` as an empty object where only `dir/a` is stored.",
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    customerKeysOverHttp: Type.Boolean({
      default: false,
      description:
        "Take encryption keys of clients (SSE-C) over plain HTTP, where TLS ends before the gateway.",
    }),
    headerBytesMax: Type.Integer({
      minimum: 8 * KIB,
      maximum: HEADER_BYTES_MAX,
      default: HEADER_BYTES_MAX,
      description: "Largest header section, in bytes.",
    }),
    headersTimeoutMs: Type.Integer({
      minimum: 1000,
      default: 20_000,
      description: "A client must have sent its header section within this time.",
    }),
    keepAliveTimeoutMs: Type.Integer({
      minimum: 1000,
      default: 75_000,
      description: "An idle connection is closed after this; longer than the load balancer's.",
    }),
    idleTimeoutMs: Type.Integer({
      minimum: 100,
      default: 30_000,
      description: "A body that does not move for this long, in either direction, is cut.",
    }),
    minimumBytesPerSecond: Type.Integer({
      minimum: 0,
      default: 128,
      description:
        "A client slower than this, over rateWindowMs of waiting for it, is cut; 0: off.",
    }),
    rateWindowMs: Type.Integer({
      minimum: 100,
      default: 60_000,
      description: "Milliseconds of waiting over which the minimum rate is measured.",
    }),
    requestsMax: Type.Integer({
      minimum: 1,
      default: 4096,
      description: "Requests in flight; past it a request is answered 503 SlowDown.",
    }),
    closeGraceMs: Type.Integer({
      minimum: 0,
      default: 30_000,
      description: "How long running requests may go on when the gateway stops.",
    }),
  },
  { additionalProperties: false },
);

export type S3Settings = Type.Static<typeof S3_SETTINGS>;
