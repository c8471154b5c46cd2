// Response documents as exact text, their encoding, and the error table.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AssertionFailure } from "../../../services/lib/base/assert.ts";
import {
  invalidArgument,
  S3_ERROR_CODES,
  S3Error,
  s3ErrorDocument,
  s3ErrorMessage,
  s3ErrorStatus,
} from "../../../services/lib/s3/errors.ts";
import {
  type ListedObject,
  listBucketsDocument,
  listObjectsV1Document,
  listObjectsV2Document,
  listVersionsDocument,
  locationDocument,
} from "../../../services/lib/s3/list-documents.ts";
import {
  completeMultipartUploadDocument,
  initiateMultipartUploadDocument,
  listPartsDocument,
  listUploadsDocument,
} from "../../../services/lib/s3/multipart-documents.ts";
import {
  copyObjectDocument,
  copyPartDocument,
  deleteDocument,
} from "../../../services/lib/s3/object-documents.ts";
import { parseXml } from "../../../services/lib/s3/xml-reader.ts";

const HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n';
const XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
const TIME_MS = Date.UTC(2009, 9, 12, 17, 50, 30);
const TIME = "2009-10-12T17:50:30.000Z";
const OWNER = { id: "o1", displayName: "jan_physics" };
const OWNER_XML = "<ID>o1</ID><DisplayName>jan_physics</DisplayName>";
const CRC = {
  algorithm: "CRC32",
  type: "COMPOSITE",
  digest: Buffer.from("cbf43926", "hex"),
  partCount: 2,
} as const;

function equalDocument(document: string, root: string, inner: string): void {
  parseXml(Buffer.from(document));
  assert.equal(document, `${HEAD}<${root} ${XMLNS}>${inner}</${root}>`);
}

const OBJECT: ListedObject = {
  key: "a b&c",
  lastModifiedMs: TIME_MS,
  etag: "e",
  size: 5,
  storageClass: "STANDARD",
};
const OBJECT_FIELDS =
  `<LastModified>${TIME}</LastModified><ETag>&quot;e&quot;</ETag>` +
  "<Size>5</Size><StorageClass>STANDARD</StorageClass>";

describe("listings", () => {
  test("buckets", () => {
    const buckets = [{ name: "b", createdMs: TIME_MS }];
    equalDocument(
      listBucketsDocument({ owner: OWNER, buckets }),
      "ListAllMyBucketsResult",
      `<Owner>${OWNER_XML}</Owner><Buckets><Bucket><Name>b</Name>` +
        `<CreationDate>${TIME}</CreationDate></Bucket></Buckets>`,
    );
    const page = listBucketsDocument({
      owner: OWNER,
      buckets: [],
      prefix: "p",
      continuationToken: "t",
    });
    assert.match(page, /<Buckets><\/Buckets><ContinuationToken>t<\/ContinuationToken><Prefix>p</);
  });

  test("location", () => {
    equalDocument(locationDocument("eu-1"), "LocationConstraint", "eu-1");
    equalDocument(locationDocument("us-east-1"), "LocationConstraint", "");
  });

  test("objects, version 1", () => {
    const page = {
      bucket: "b",
      prefix: "a ",
      delimiter: "/",
      maxKeys: 2,
      encodingType: undefined,
      isTruncated: true,
      commonPrefixes: ["a /"],
      marker: "",
      nextMarker: "a b&c",
      objects: [{ ...OBJECT, owner: OWNER }],
    };
    equalDocument(
      listObjectsV1Document(page),
      "ListBucketResult",
      "<Name>b</Name><Prefix>a </Prefix><Marker></Marker><NextMarker>a b&amp;c</NextMarker>" +
        "<MaxKeys>2</MaxKeys><Delimiter>/</Delimiter><IsTruncated>true</IsTruncated>" +
        `<Contents><Key>a b&amp;c</Key>${OBJECT_FIELDS}<Owner>${OWNER_XML}</Owner></Contents>` +
        "<CommonPrefixes><Prefix>a /</Prefix></CommonPrefixes>",
    );
    const encoded = listObjectsV1Document({
      ...page,
      encodingType: "url",
      delimiter: " ",
      marker: "é",
    });
    assert.match(encoded, /<Key>a\+b%26c<\/Key>/);
    assert.match(encoded, /<Prefix>a\+<\/Prefix><Marker>%C3%A9<\/Marker><NextMarker>a\+b%26c</);
    assert.match(encoded, /<Delimiter>\+<\/Delimiter><EncodingType>url<\/EncodingType>/);
    assert.match(encoded, /<CommonPrefixes><Prefix>a\+\/<\/Prefix>/);
  });

  test("objects, version 2", () => {
    const page = {
      bucket: "b",
      prefix: "",
      delimiter: undefined,
      maxKeys: 1000,
      encodingType: "url",
      isTruncated: true,
      commonPrefixes: [],
      startAfter: "a a",
      continuationToken: "a+b=",
      nextContinuationToken: "c+d=",
      objects: [{ ...OBJECT, checksumAlgorithm: "CRC32", checksumType: "COMPOSITE" }],
    } as const;
    equalDocument(
      listObjectsV2Document(page),
      "ListBucketResult",
      "<Name>b</Name><Prefix></Prefix><StartAfter>a+a</StartAfter>" +
        "<ContinuationToken>a+b=</ContinuationToken>" +
        "<NextContinuationToken>c+d=</NextContinuationToken><KeyCount>1</KeyCount>" +
        "<MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>" +
        `<Contents><Key>a+b%26c</Key><LastModified>${TIME}</LastModified>` +
        "<ETag>&quot;e&quot;</ETag><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>" +
        "<ChecksumType>COMPOSITE</ChecksumType><Size>5</Size>" +
        "<StorageClass>STANDARD</StorageClass></Contents>",
    );
    assert.throws(() => listObjectsV2Document({ ...page, isTruncated: false }), AssertionFailure);
  });

  test("versions and delete markers", () => {
    const document = listVersionsDocument({
      bucket: "b",
      prefix: "",
      delimiter: undefined,
      maxKeys: 10,
      encodingType: undefined,
      isTruncated: false,
      commonPrefixes: [],
      keyMarker: "",
      versionIdMarker: "",
      nextKeyMarker: undefined,
      nextVersionIdMarker: undefined,
      entries: [
        {
          kind: "delete-marker",
          key: "k",
          versionId: "v2",
          isLatest: true,
          lastModifiedMs: TIME_MS,
        },
        { kind: "version", ...OBJECT, key: "k", versionId: "null", isLatest: false, owner: OWNER },
      ],
    });
    equalDocument(
      document,
      "ListVersionsResult",
      "<Name>b</Name><Prefix></Prefix><KeyMarker></KeyMarker><VersionIdMarker></VersionIdMarker>" +
        "<MaxKeys>10</MaxKeys><IsTruncated>false</IsTruncated><DeleteMarker><Key>k</Key>" +
        `<VersionId>v2</VersionId><IsLatest>true</IsLatest><LastModified>${TIME}</LastModified>` +
        "</DeleteMarker><Version><Key>k</Key><VersionId>null</VersionId><IsLatest>false</IsLatest>" +
        `${OBJECT_FIELDS}<Owner>${OWNER_XML}</Owner></Version>`,
    );
  });

  test("keys that markup or XML 1.0 would break", () => {
    const keys = ["<script>", "]]>", "\u0001", "a\rb", "\u202e", "__proto__", "../x"];
    for (const key of keys) {
      const document = listObjectsV1Document({
        bucket: "b",
        prefix: "",
        delimiter: undefined,
        maxKeys: 1,
        encodingType: "url",
        isTruncated: false,
        commonPrefixes: [],
        marker: "",
        nextMarker: undefined,
        objects: [{ ...OBJECT, key }],
      });
      const root = parseXml(Buffer.from(document));
      const contents = root.children.find(({ name }) => name === "Contents");
      const text = contents?.children.find(({ name }) => name === "Key")?.text ?? "";
      assert.equal(decodeURIComponent(text.replaceAll("+", " ")), key);
    }
  });
});

describe("multipart uploads", () => {
  test("initiate and complete", () => {
    equalDocument(
      initiateMultipartUploadDocument({ bucket: "b", key: "k<", uploadId: "u" }),
      "InitiateMultipartUploadResult",
      "<Bucket>b</Bucket><Key>k&lt;</Key><UploadId>u</UploadId>",
    );
    equalDocument(
      completeMultipartUploadDocument({
        location: "http://h/b/k",
        bucket: "b",
        key: "k",
        etag: "e-2",
        checksums: [CRC],
      }),
      "CompleteMultipartUploadResult",
      "<Location>http://h/b/k</Location><Bucket>b</Bucket><Key>k</Key>" +
        "<ETag>&quot;e-2&quot;</ETag><ChecksumCRC32>y/Q5Jg==-2</ChecksumCRC32>" +
        "<ChecksumType>COMPOSITE</ChecksumType>",
    );
  });

  test("parts", () => {
    const document = listPartsDocument({
      bucket: "b",
      key: "k",
      uploadId: "u",
      partNumberMarker: 0,
      nextPartNumberMarker: 1,
      maxParts: 1,
      encodingType: undefined,
      isTruncated: true,
      parts: [
        {
          partNumber: 1,
          lastModifiedMs: TIME_MS,
          etag: "e",
          size: 5,
          checksums: [{ ...CRC, type: "FULL_OBJECT" }],
        },
      ],
      initiator: OWNER,
      owner: OWNER,
      storageClass: "STANDARD",
      checksumAlgorithm: "CRC32",
      checksumType: "COMPOSITE",
    });
    equalDocument(
      document,
      "ListPartsResult",
      "<Bucket>b</Bucket><Key>k</Key><UploadId>u</UploadId>" +
        `<Initiator>${OWNER_XML}</Initiator><Owner>${OWNER_XML}</Owner>` +
        "<StorageClass>STANDARD</StorageClass><PartNumberMarker>0</PartNumberMarker>" +
        "<NextPartNumberMarker>1</NextPartNumberMarker><MaxParts>1</MaxParts>" +
        "<IsTruncated>true</IsTruncated><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>" +
        "<ChecksumType>COMPOSITE</ChecksumType><Part><PartNumber>1</PartNumber>" +
        `<LastModified>${TIME}</LastModified><ETag>&quot;e&quot;</ETag><Size>5</Size>` +
        "<ChecksumCRC32>y/Q5Jg==</ChecksumCRC32></Part>",
    );
  });

  test("uploads", () => {
    const document = listUploadsDocument({
      bucket: "b",
      keyMarker: "k ",
      uploadIdMarker: "",
      nextKeyMarker: "l ",
      nextUploadIdMarker: "u",
      prefix: "",
      delimiter: "/",
      encodingType: "url",
      maxUploads: 1,
      isTruncated: true,
      uploads: [
        {
          key: "l ",
          uploadId: "u",
          initiator: OWNER,
          owner: OWNER,
          storageClass: "STANDARD",
          initiatedMs: TIME_MS,
        },
      ],
      commonPrefixes: ["m /"],
    });
    equalDocument(
      document,
      "ListMultipartUploadsResult",
      "<Bucket>b</Bucket><KeyMarker>k+</KeyMarker><UploadIdMarker></UploadIdMarker>" +
        "<NextKeyMarker>l+</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>" +
        "<Prefix></Prefix><Delimiter>/</Delimiter><EncodingType>url</EncodingType>" +
        "<MaxUploads>1</MaxUploads><IsTruncated>true</IsTruncated><Upload><Key>l+</Key>" +
        `<UploadId>u</UploadId><Initiator>${OWNER_XML}</Initiator><Owner>${OWNER_XML}</Owner>` +
        `<StorageClass>STANDARD</StorageClass><Initiated>${TIME}</Initiated></Upload>` +
        "<CommonPrefixes><Prefix>m+/</Prefix></CommonPrefixes>",
    );
  });
});

describe("objects", () => {
  test("copies", () => {
    const result = { lastModifiedMs: TIME_MS, etag: "e", checksums: [] };
    const inner = `<LastModified>${TIME}</LastModified><ETag>&quot;e&quot;</ETag>`;
    equalDocument(copyObjectDocument(result), "CopyObjectResult", inner);
    equalDocument(copyPartDocument(result), "CopyPartResult", inner);
  });

  test("deletes, quiet or not", () => {
    const outcomes = [
      { kind: "deleted", key: "a", deleteMarker: true, deleteMarkerVersionId: "v" },
      { kind: "error", key: "b", versionId: "w", code: "AccessDenied", message: "Access Denied" },
    ] as const;
    const error =
      "<Error><Key>b</Key><VersionId>w</VersionId><Code>AccessDenied</Code>" +
      "<Message>Access Denied</Message></Error>";
    equalDocument(deleteDocument({ quiet: true, outcomes }), "DeleteResult", error);
    equalDocument(
      deleteDocument({ quiet: false, outcomes }),
      "DeleteResult",
      "<Deleted><Key>a</Key><DeleteMarker>true</DeleteMarker>" +
        `<DeleteMarkerVersionId>v</DeleteMarkerVersionId></Deleted>${error}`,
    );
  });
});

describe("errors", () => {
  test("every code has a status and a message, and makes a document", () => {
    assert.ok(S3_ERROR_CODES.length > 90, String(S3_ERROR_CODES.length));
    for (const code of S3_ERROR_CODES) {
      const status = s3ErrorStatus(code);
      assert.ok((status >= 300 && status <= 416) || (status >= 500 && status <= 507), code);
      assert.ok(s3ErrorMessage(code).length > 3, code);
      const context = { resource: "/b/k", requestId: "r", hostId: "h" };
      parseXml(Buffer.from(s3ErrorDocument(new S3Error(code), context)));
    }
  });

  test("statuses clients depend on", () => {
    const expected = {
      AccessDenied: 403,
      BucketAlreadyOwnedByYou: 409,
      BucketNotEmpty: 409,
      EntityTooLarge: 400,
      InternalError: 500,
      InvalidRange: 416,
      MissingContentLength: 411,
      MethodNotAllowed: 405,
      NoSuchBucket: 404,
      NoSuchKey: 404,
      NoSuchUpload: 404,
      NotImplemented: 501,
      PreconditionFailed: 412,
      SignatureDoesNotMatch: 403,
      SlowDown: 503,
    } as const;
    for (const [code, status] of Object.entries(expected)) {
      assert.equal(s3ErrorStatus(code as keyof typeof expected), status, code);
    }
  });

  test("the document carries details, resource and ids, escaped", () => {
    const error = invalidArgument("bad <x>", "max-keys", "&");
    assert.equal(error.status, 400);
    assert.equal(
      s3ErrorDocument(error, { resource: "/b/<k>", requestId: "r1", hostId: "h1" }),
      `${HEAD}<Error><Code>InvalidArgument</Code><Message>bad &lt;x&gt;</Message>` +
        "<ArgumentName>max-keys</ArgumentName><ArgumentValue>&amp;</ArgumentValue>" +
        "<Resource>/b/&lt;k&gt;</Resource><RequestId>r1</RequestId><HostId>h1</HostId></Error>",
    );
    const cause = new Error("disk");
    assert.equal(new S3Error("InternalError", undefined, { cause }).cause, cause);
  });
});
