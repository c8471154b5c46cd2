// Settings of buckets that others act by later: what is taken of lifecycle, notification,
// replication and web site documents is written so that it reads the same again, and pages are
// routed to places that fit a header.
import assert from "node:assert/strict";
import { corsDocument, parseCors } from "../../services/lib/s3/settings/cors.ts";
import {
  lifecycleDocument,
  parseStoredLifecycle,
} from "../../services/lib/s3/settings/lifecycle.ts";
import {
  notificationDocument,
  parseStoredNotification,
} from "../../services/lib/s3/settings/notification.ts";
import {
  parseStoredReplication,
  replicationDocument,
} from "../../services/lib/s3/settings/replication.ts";
import {
  parseWebsite,
  type Website,
  websiteDocument,
} from "../../services/lib/s3/settings/website.ts";
import {
  folderOf,
  routeWebsite,
  routeWebsiteError,
} from "../../services/lib/s3/settings/website-routing.ts";
import { parseXml } from "../../services/lib/s3/xml-reader.ts";
import type { FuzzTarget } from "./fuzz.ts";

/** Takes a document, and checks that what is written of it is the same setting. */
type Reader = (body: Uint8Array) => void;

function roundTrip<T>(read: (body: Uint8Array) => T, write: (value: T) => string): Reader {
  return (body) => {
    const value = read(body);
    assert.deepEqual(read(Buffer.from(write(value))), value);
  };
}

const KEYS = ["", "a", "docs/x y", "docs/", "ä/\u{1f600}?#", "//", "a\r\nb"];
const STATUSES = [400, 403, 404, 500, 503];
const HEADER_TEXT = /^[\x21-\x7e]+$/;

function checkRoutes(website: Website): void {
  for (const key of KEYS) {
    const request = { host: "b.web.example.org:8080", protocol: "http", key } as const;
    const routes = [
      routeWebsite(website, request),
      ...STATUSES.map((status) => routeWebsiteError(website, request, status)),
    ];
    for (const route of routes) {
      if (route.kind !== "redirect") continue;
      assert.match(route.location, HEADER_TEXT);
      assert.ok(route.status >= 300 && route.status < 400, String(route.status));
    }
    const folder = folderOf(website, request);
    if (folder !== undefined) assert.match(folder.location, HEADER_TEXT);
  }
}

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["LifecycleConfiguration", roundTrip(parseStoredLifecycle, lifecycleDocument)],
  ["NotificationConfiguration", roundTrip(parseStoredNotification, notificationDocument)],
  ["ReplicationConfiguration", roundTrip(parseStoredReplication, replicationDocument)],
  ["CORSConfiguration", roundTrip(parseCors, corsDocument)],
  [
    "WebsiteConfiguration",
    (body) => {
      roundTrip(parseWebsite, websiteDocument)(body);
      checkRoutes(parseWebsite(body));
    },
  ],
]);

const FILTER =
  "<Filter><And><Prefix>a/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag>" +
  "<ObjectSizeGreaterThan>1</ObjectSizeGreaterThan></And></Filter>";
const SEEDS = [
  `<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status>${FILTER}<Transition><Days>3</Days><StorageClass>STANDARD_IA</StorageClass></Transition><Expiration><Days>30</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>9</NoncurrentDays><NewerNoncurrentVersions>3</NewerNoncurrentVersions></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>`,
  "<LifecycleConfiguration><Rule><Status>Disabled</Status><Prefix>p</Prefix><Expiration><Date>2027-01-01T00:00:00Z</Date></Expiration></Rule><Rule><ID>u</ID><Status>Enabled</Status><Filter/><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>",
  "<NotificationConfiguration><QueueConfiguration><Id>n</Id><Queue>arn:dolium:sqs::hook:webhook</Queue><Event>s3:ObjectCreated:*</Event><Event>s3:ObjectAcl:Put</Event><Filter><S3Key><FilterRule><Name>prefix</Name><Value>a/</Value></FilterRule><FilterRule><Name>suffix</Name><Value>.jpg</Value></FilterRule></S3Key></Filter></QueueConfiguration></NotificationConfiguration>",
  "<ReplicationConfiguration><Role>arn:aws:iam:::role/r</Role><Rule><ID>one</ID><Priority>1</Priority><Filter><Prefix>go/</Prefix></Filter><Status>Enabled</Status><DeleteMarkerReplication><Status>Enabled</Status></DeleteMarkerReplication><ExistingObjectReplication><Status>Enabled</Status></ExistingObjectReplication><Destination><Bucket>arn:aws:s3:::copies</Bucket><StorageClass>STANDARD_IA</StorageClass></Destination></Rule></ReplicationConfiguration>",
  "<CORSConfiguration><CORSRule><ID>c</ID><AllowedOrigin>http://*.x</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedHeader>*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>9</MaxAgeSeconds></CORSRule></CORSConfiguration>",
  "<WebsiteConfiguration><IndexDocument><Suffix>i.html</Suffix></IndexDocument><ErrorDocument><Key>e.html</Key></ErrorDocument><RoutingRules><RoutingRule><Condition><KeyPrefixEquals>docs/</KeyPrefixEquals></Condition><Redirect><ReplaceKeyPrefixWith>documents/</ReplaceKeyPrefixWith></Redirect></RoutingRule><RoutingRule><Condition><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals></Condition><Redirect><HostName>h:80</HostName><Protocol>https</Protocol><ReplaceKeyWith>a?b#c</ReplaceKeyWith><HttpRedirectCode>302</HttpRedirectCode></Redirect></RoutingRule></RoutingRules></WebsiteConfiguration>",
  "<WebsiteConfiguration><RedirectAllRequestsTo><HostName>example.org</HostName><Protocol>https</Protocol></RedirectAllRequestsTo></WebsiteConfiguration>",
].map((text) => Buffer.from(text));

const WORDS = [
  ..."<Rule> </Rule> <Filter> </Filter> <And> </And> <Prefix> </Prefix> <Days> </Days> <Date>".split(
    " ",
  ),
  ..."<Status> </Status> Enabled Disabled 0 -1 2147483648 404 399 300 &#13;&#10; &#x20; ä %".split(
    " ",
  ),
  ..."<ReplaceKeyWith> </ReplaceKeyWith> <HostName> </HostName> s3:ObjectRemoved:* <Id> </Id>".split(
    " ",
  ),
  ..."STANDARD GLACIER arn:aws:s3::: arn:dolium:replication:::away/b 2027-02-30T00:00:00Z".split(
    " ",
  ),
].map((word) => Buffer.from(word));

export const SETTINGS_TARGET: FuzzTarget = {
  name: "settings",
  seeds: SEEDS,
  words: WORDS,
  bytesMax: 64 * 1024,
  run: (input) => {
    const { name } = parseXml(input);
    const read = READERS.get(name);
    if (read === undefined) return { word: "another document" };
    read(input);
    return { word: `taken, ${name}` };
  },
};
