// XML bodies: the reader, and every request and setting that is read out of what it takes.
import { parseAcl } from "../../services/lib/s3/settings/acl.ts";
import { parseCors } from "../../services/lib/s3/settings/cors.ts";
import { parseEncryption } from "../../services/lib/s3/settings/encryption.ts";
import { parseStoredLifecycle } from "../../services/lib/s3/settings/lifecycle.ts";
import { parseLogging } from "../../services/lib/s3/settings/logging.ts";
import { parseObjectLock } from "../../services/lib/s3/settings/object-lock.ts";
import { parseOwnership } from "../../services/lib/s3/settings/ownership.ts";
import { parsePublicAccessBlock } from "../../services/lib/s3/settings/public-access-block.ts";
import { OBJECT_TAG_LIMITS, parseTagging } from "../../services/lib/s3/settings/tagging.ts";
import { parseVersioning } from "../../services/lib/s3/settings/versioning.ts";
import { parseWebsite } from "../../services/lib/s3/settings/website.ts";
import { parseXml } from "../../services/lib/s3/xml-reader.ts";
import {
  parseCompleteMultipartUpload,
  parseCreateBucketConfiguration,
  parseDelete,
} from "../../services/lib/s3/xml-requests.ts";
import type { FuzzTarget } from "./fuzz.ts";

const READERS: ReadonlyMap<string, (body: Uint8Array) => unknown> = new Map<
  string,
  (body: Uint8Array) => unknown
>([
  ["Delete", parseDelete],
  ["CompleteMultipartUpload", (body) => parseCompleteMultipartUpload(body, { lenient: false })],
  ["CreateBucketConfiguration", parseCreateBucketConfiguration],
  ["Tagging", (body) => parseTagging(body, OBJECT_TAG_LIMITS)],
  ["AccessControlPolicy", parseAcl],
  ["CORSConfiguration", parseCors],
  ["LifecycleConfiguration", parseStoredLifecycle],
  ["ServerSideEncryptionConfiguration", parseEncryption],
  ["BucketLoggingStatus", parseLogging],
  ["ObjectLockConfiguration", parseObjectLock],
  ["OwnershipControls", parseOwnership],
  ["PublicAccessBlockConfiguration", parsePublicAccessBlock],
  ["VersioningConfiguration", parseVersioning],
  ["WebsiteConfiguration", parseWebsite],
]);

const XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"';
const SEEDS = [
  "<Delete><Quiet>true</Quiet><Object><Key>a&amp;b</Key><VersionId>v</VersionId></Object></Delete>",
  '<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Part><PartNumber>1</PartNumber><ETag>"d41d8cd98f00b204e9800998ecf8427e"</ETag></Part></CompleteMultipartUpload>',
  "<CreateBucketConfiguration><LocationConstraint>eu-1</LocationConstraint></CreateBucketConfiguration>",
  "<Tagging><TagSet><Tag><Key>a b</Key><Value>&#233;</Value></Tag></TagSet></Tagging>",
  `<AccessControlPolicy><Owner><ID>o</ID></Owner><AccessControlList><Grant><Grantee ${XSI} xsi:type="CanonicalUser"><ID>g</ID></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>`,
  "<CORSConfiguration><CORSRule><AllowedOrigin>http://*.x</AllowedOrigin><AllowedMethod>GET</AllowedMethod><MaxAgeSeconds>9</MaxAgeSeconds></CORSRule></CORSConfiguration>",
  "<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter><Prefix>a</Prefix></Filter><Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>",
  "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>",
  "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>",
  "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>",
  "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
  "<WebsiteConfiguration><IndexDocument><Suffix>i.html</Suffix></IndexDocument></WebsiteConfiguration>",
  '<?xml version="1.0" encoding="UTF-8"?><!-- c --><Tagging><TagSet/></Tagging>',
].map((text) => Buffer.from(text));

const WORDS = [
  ..."< > </ /> <a> </a> <a/> = \" ' & &amp; &#0; &#xffffff; &lt; &x; ]]> -- <!-- --> <? ?>".split(
    " ",
  ),
  ..."<Object> </Object> <Key> </Key> <Tag> </Tag> <Rule> </Rule> true false Enabled __proto__".split(
    " ",
  ),
  ..."xsi:type= xmlns= constructor toString".split(" "),
  "<![CDATA[x]]>",
  '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
  '<?xml version="1.0"?>',
].map((word) => Buffer.from(word));

export const XML_TARGET: FuzzTarget = {
  name: "xml",
  seeds: SEEDS,
  words: WORDS,
  bytesMax: 64 * 1024,
  run: (input) => {
    const { name } = parseXml(input);
    const read = READERS.get(name);
    if (read === undefined) return { word: "another document" };
    read(input);
    return { word: "taken" };
  },
};
