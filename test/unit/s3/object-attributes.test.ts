// GetObjectAttributes: the header, the parts of the answer, pages of parts.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type HeaderField, HeaderList } from "../../../services/lib/s3/headers.ts";
import {
  type ObjectAttributes,
  objectAttributesDocument,
  parseAttributesRequest,
} from "../../../services/lib/s3/object-attributes.ts";
import { expectS3Error } from "./expect-s3-error.ts";
import { documentText } from "./settings/bodies.ts";

function parse(names: string, ...fields: readonly HeaderField[]) {
  return parseAttributesRequest(new HeaderList([["x-amz-object-attributes", names], ...fields]));
}

const DIGEST = {
  algorithm: "CRC32",
  type: "COMPOSITE",
  digest: Buffer.from("cbf43926", "hex"),
  partCount: 3,
} as const;
const OBJECT: ObjectAttributes = {
  etag: "e-3",
  checksums: [DIGEST],
  storageClass: "STANDARD",
  size: 15,
  parts: [1, 2, 4].map((partNumber) => ({ partNumber, size: 5, checksums: [DIGEST] })),
};
const DIGEST_XML = "<ChecksumCRC32>y/Q5Jg==</ChecksumCRC32>";

function answer(object: ObjectAttributes, request: ReturnType<typeof parse>): string {
  return objectAttributesDocument(object, request);
}

describe("GetObjectAttributes", () => {
  test("answers what was asked for", () => {
    const whole = (inner: string) => documentText("GetObjectAttributesResponse", inner);
    assert.equal(answer(OBJECT, parse("ETag")), whole("<ETag>e-3</ETag>"));
    assert.equal(
      answer(OBJECT, parse("ObjectSize, StorageClass,Checksum")),
      whole(
        `<Checksum>${DIGEST_XML}<ChecksumType>COMPOSITE</ChecksumType></Checksum>` +
          "<StorageClass>STANDARD</StorageClass><ObjectSize>15</ObjectSize>",
      ),
    );
    const plain = { ...OBJECT, checksums: [], parts: undefined };
    assert.equal(answer(plain, parse("Checksum,ObjectParts")), whole(""));
  });

  test("pages of parts", () => {
    const page = (max: string, marker: string) =>
      answer(
        OBJECT,
        parse("ObjectParts", ["x-amz-max-parts", max], ["x-amz-part-number-marker", marker]),
      );
    const part = (number: number) =>
      `<Part><PartNumber>${number}</PartNumber><Size>5</Size>${DIGEST_XML}</Part>`;
    assert.equal(
      page("1", "1"),
      documentText(
        "GetObjectAttributesResponse",
        "<ObjectParts><PartsCount>3</PartsCount><PartNumberMarker>1</PartNumberMarker>" +
          "<NextPartNumberMarker>2</NextPartNumberMarker><MaxParts>1</MaxParts>" +
          `<IsTruncated>true</IsTruncated>${part(2)}</ObjectParts>`,
      ),
    );
    assert.match(page("5000", "2"), /<MaxParts>1000<.*<IsTruncated>false<.*<PartNumber>4</);
    assert.match(page("0", "0"), /<NextPartNumberMarker>0<.*<IsTruncated>true<\/IsTruncated><\/Ob/);
    const bare = OBJECT.parts?.map((each) => ({ ...each, checksums: [] }));
    assert.equal(
      answer({ ...OBJECT, parts: bare }, parse("ObjectParts")),
      documentText(
        "GetObjectAttributesResponse",
        "<ObjectParts><PartsCount>3</PartsCount></ObjectParts>",
      ),
    );
  });

  test("refuses no, unknown and malformed", () => {
    expectS3Error("InvalidRequest", () => parseAttributesRequest(new HeaderList([])));
    expectS3Error("InvalidRequest", () => parse(" , "));
    expectS3Error("InvalidArgument", () => parse("etag"));
    expectS3Error("InvalidArgument", () => parse("ETag", ["x-amz-max-parts", "-1"]));
    expectS3Error("InvalidArgument", () => parse("ETag", ["x-amz-part-number-marker", "x"]));
  });
});
