// XML in both directions: what the writer escapes the reader returns, limits hold, and the bodies
// of requests are taken or refused as S3 does (group D22 of the security page).
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { AssertionFailure } from "../../../services/lib/base/assert.ts";
import { isS3Error } from "../../../services/lib/s3/errors.ts";
import {
  childNamed,
  childText,
  parseXml,
  type XmlElement,
} from "../../../services/lib/s3/xml-reader.ts";
import {
  parseCompleteMultipartUpload,
  parseCreateBucketConfiguration,
  parseDelete,
  parsePartNumber,
} from "../../../services/lib/s3/xml-requests.ts";
import {
  escapeXml,
  withoutDeclaration,
  XML_DECLARATION,
  XmlWriter,
} from "../../../services/lib/s3/xml-writer.ts";
import { expectS3Error } from "./expect-s3-error.ts";

function parse(text: string): XmlElement {
  return parseXml(Buffer.from(text, "utf8"));
}

describe("writer", () => {
  test("escapes markup, carriage returns and control characters", () => {
    assert.equal(
      escapeXml("a<b>&\"'\r\n\t\u0001\u007f"),
      "a&lt;b&gt;&amp;&quot;'&#13;\n\t&#1;&#127;",
    );
    assert.equal(escapeXml("\ud800x\uffff"), "\ufffdx\ufffd");
    assert.equal(escapeXml("😀é"), "😀é");
  });

  test("attributes, text, optional elements", () => {
    const document = new XmlWriter()
      .open("A", [["x:y", 'a"\n']])
      .leaf("B", 1)
      .optional("C", undefined)
      .optional("D", false)
      .text("]]>")
      .close("A")
      .finish();
    assert.equal(
      document,
      `${XML_DECLARATION}<A x:y="a&quot;&#10;"><B>1</B><D>false</D>]]&gt;</A>`,
    );
    assert.equal(withoutDeclaration(document).startsWith("<A"), true);
  });

  test("a long document keeps every character, in order", () => {
    const writer = new XmlWriter().open("List");
    let expected = `${XML_DECLARATION}<List>`;
    for (let at = 0; at < 3000; at += 1) {
      writer.leaf("Key", `${at} \u00fc \u{1f600} ${"&".repeat(at % 7)}`);
      expected += `<Key>${at} \u00fc \u{1f600} ${"&amp;".repeat(at % 7)}</Key>`;
    }
    assert.equal(writer.close("List").finish(), `${expected}</List>`);
  });

  test("our mistakes are assertions", () => {
    assert.throws(() => new XmlWriter().open("A").finish(), AssertionFailure);
    assert.throws(() => new XmlWriter().open("A").close("B"), AssertionFailure);
    assert.throws(() => new XmlWriter().leaf("a b", ""), AssertionFailure);
    assert.throws(() => new XmlWriter().text("x"), AssertionFailure);
    assert.throws(() => withoutDeclaration("<A/>"), AssertionFailure);
  });

  test("the reader returns every text XML can carry", () => {
    const text = fc
      .string({ unit: "binary" })
      // biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 cannot carry these
      .filter((value) => !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(value))
      .filter((value) => value.isWellFormed());
    fc.assert(
      fc.property(text, text, (value, attribute) => {
        const document = new XmlWriter()
          .open("A", [["a", attribute]])
          .leaf("K", value)
          .close("A");
        const root = parse(document.finish());
        assert.equal(childText(root, "K"), value);
        assert.equal(root.attributes.get("a"), attribute);
      }),
    );
  });
});

describe("reader", () => {
  test("names lose prefixes, text is kept, CDATA is text", () => {
    const root = parse(
      '<?xml version="1.0"?><!-- c --><s3:A xmlns:s3="u" xsi:type="T"> x<B> k </B><![CDATA[<&]]></s3:A>',
    );
    assert.equal(root.name, "A");
    assert.equal(root.attributes.get("xsi:type"), "T");
    assert.equal(root.text, " x<&");
    assert.equal(childText(root, "B"), " k ");
    assert.equal(childText(root, "C"), undefined);
    assert.equal(childText(parse("<a>&lt;&#65;&#x1F600;\r\n&#13;</a>"), "b"), undefined);
    assert.equal(parse("<a>&lt;&#65;&#x1F600;\r\n&#13;</a>").text, "<A😀\n\r");
    assert.equal(parse("\ufeff<a/>").name, "a");
  });

  test("prototype names are ordinary", () => {
    const root = parse(
      "<__proto__ __proto__='1' constructor='2'><toString>x</toString></__proto__>",
    );
    assert.equal(root.attributes.get("__proto__"), "1");
    assert.equal(root.attributes.get("constructor"), "2");
    assert.equal(root.attributes.get("toString"), undefined);
    assert.equal(childText(root, "toString"), "x");
  });

  for (const bad of [
    "",
    " ",
    "x",
    "<a>",
    "<a></b>",
    "<a/><b/>",
    "<a/>x",
    "<a b='1' b='2'/>",
    "<a b=1/>",
    "<a>&unknown;</a>",
    "<a>&#0;</a>",
    "<a>&#xD800;</a>",
    "<a>\u0001</a>",
    "<!DOCTYPE a><a/>",
    "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
    '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
    "<?php x?><a/>",
    "<a><?xml-stylesheet href='x'?></a>",
  ]) {
    test(`refuses ${JSON.stringify(bad)}`, () => {
      expectS3Error("MalformedXML", () => parse(bad));
    });
  }

  test("refuses bytes that are not UTF-8", () => {
    for (const bytes of [
      [0x3c, 0x61, 0xff, 0x3e],
      [0xff, 0xfe, 0x3c, 0x00, 0x61, 0x00],
    ]) {
      expectS3Error("MalformedXML", () => parseXml(Uint8Array.from(bytes)));
    }
  });

  test("limits of bytes, depth, elements and attributes", () => {
    const nested = (depth: number): string => "<a>".repeat(depth) + "</a>".repeat(depth);
    parse(nested(20));
    expectS3Error("MalformedXML", () => parse(nested(21)));
    const wide = (count: number): string => `<a>${"<b/>".repeat(count - 1)}</a>`;
    parse(wide(10_000));
    expectS3Error("MalformedXML", () => parse(wide(10_001)));
    const attributes = (count: number): string =>
      `<a ${Array.from({ length: count }, (_, index) => `b${index}=""`).join(" ")}/>`;
    parse(attributes(16));
    expectS3Error("MalformedXML", () => parse(attributes(17)));
    const bytes = Buffer.from(`<a>${"x".repeat(93)}</a>`);
    parseXml(bytes, { bytesMax: 100 });
    expectS3Error("MaxMessageLengthExceeded", () => parseXml(bytes, { bytesMax: 99 }));
    expectS3Error("MaxMessageLengthExceeded", () => parse(`<a>${" ".repeat(1024 * 1024)}</a>`));
  });

  test("repeated or nested where one text is meant", () => {
    const root = parse("<a><b>1</b><b>2</b><c><d/></c></a>");
    expectS3Error("MalformedXML", () => childNamed(root, "b"));
    expectS3Error("MalformedXML", () => childText(root, "c"));
  });

  test("hostile text of a megabyte ends soon", () => {
    const hostile = [
      "<",
      "&#65;",
      "<a ",
      "<![CDATA[",
      "]]>",
      "<!--",
      "&",
      "<a>",
      "\r",
      "<?",
      "<!DOCTYPE ",
    ];
    for (const piece of hostile) {
      const text = `<a>${piece.repeat(Math.floor(900_000 / piece.length))}`;
      // Of processor time: a busy machine gives little of it in a second.
      const started = process.cpuUsage();
      assert.throws(
        () => parse(text),
        (error) => isS3Error(error),
      );
      assert.ok(process.cpuUsage(started).user < 3_000_000, piece);
    }
  });

  test("any text parses or is MalformedXML", () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "<",
        ">",
        "/",
        "a",
        "=",
        "'",
        '"',
        "&",
        ";",
        "#",
        "!",
        "?",
        "[",
        "]",
        "-",
        " ",
      ),
      fc.constantFrom(
        "<a>",
        "</a>",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
        "<?xml ",
        "?>",
        "&#",
        "__proto__",
      ),
      fc.string({ unit: "binary", maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        try {
          parse(pieces.join(""));
        } catch (error) {
          assert.ok(isS3Error(error, "MalformedXML"), String(error));
        }
      }),
      { numRuns: 500 },
    );
  });
});

const NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';

describe("CreateBucketConfiguration", () => {
  const read = (text: string): unknown => parseCreateBucketConfiguration(Buffer.from(text));

  test("empty, with location, with tags", () => {
    assert.deepEqual(read(""), { locationConstraint: undefined, tags: [] });
    assert.deepEqual(
      read(
        `<CreateBucketConfiguration ${NAMESPACE}><LocationConstraint>\n eu-1 </LocationConstraint>` +
          "<Tags><Tag><Key>a</Key><Value> b</Value></Tag></Tags></CreateBucketConfiguration>",
      ),
      { locationConstraint: "eu-1", tags: [{ key: "a", value: " b" }] },
    );
    assert.deepEqual(read("<CreateBucketConfiguration/>"), {
      locationConstraint: undefined,
      tags: [],
    });
  });

  test("refuses other roots, unknown elements, directory buckets", () => {
    const wrap = (inner: string): string =>
      `<CreateBucketConfiguration>${inner}</CreateBucketConfiguration>`;
    for (const bad of [
      "<Other/>",
      wrap("<X/>"),
      wrap("<LocationConstraint/><LocationConstraint/>"),
      wrap("<Tags><Tag><Key>a</Key></Tag></Tags>"),
      wrap("<Tags><X/></Tags>"),
    ]) {
      expectS3Error("MalformedXML", () => read(bad));
    }
    expectS3Error("NotImplemented", () => read(wrap("<Bucket><Type>Directory</Type></Bucket>")));
  });
});

describe("Delete", () => {
  const read = (text: string): ReturnType<typeof parseDelete> => parseDelete(Buffer.from(text));
  const objects = (count: number): string => "<Object><Key>k</Key></Object>".repeat(count);

  test("keys are exact, everything else optional", () => {
    const request = read(
      `<Delete ${NAMESPACE}>\n<Quiet>true</Quiet><Object><Key> a&#13;/../b </Key></Object>` +
        "<Object><Key>__proto__</Key><VersionId>v1</VersionId><ETag>&quot;e&quot;</ETag>" +
        "<Size>7</Size><LastModifiedTime>t</LastModifiedTime></Object></Delete>",
    );
    const none = {
      versionId: undefined,
      etag: undefined,
      lastModifiedTime: undefined,
      size: undefined,
    };
    assert.deepEqual(request, {
      quiet: true,
      entries: [
        { key: " a\r/../b ", ...none },
        { key: "__proto__", versionId: "v1", etag: "e", lastModifiedTime: "t", size: 7 },
      ],
    });
    assert.equal(read(`<Delete>${objects(1)}<Quiet>False</Quiet></Delete>`).quiet, false);
  });

  test("a key with control characters comes in XML 1.1", () => {
    const request = read('<?xml version="1.1"?><Delete><Object><Key>&#1;</Key></Object></Delete>');
    assert.equal(request.entries[0]?.key, "\u0001");
  });

  test("1 to 1,000 keys", () => {
    assert.equal(read(`<Delete>${objects(1000)}</Delete>`).entries.length, 1000);
    expectS3Error("MalformedXML", () => read(`<Delete>${objects(1001)}</Delete>`));
    expectS3Error("MalformedXML", () => read("<Delete/>"));
  });

  for (const bad of [
    "<Delete><Object><Key></Key></Object></Delete>",
    "<Delete><Object/></Delete>",
    "<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>",
    "<Delete><Object><Key>a<b/></Key></Object></Delete>",
    "<Delete><Object><Key>a</Key><If>1</If></Object></Delete>",
    "<Delete><Object><Key>a</Key><Size>-1</Size></Object></Delete>",
    "<Delete><Object><Key>a</Key></Object><Quiet>maybe</Quiet></Delete>",
    "<Delete><Object><Key>a</Key></Object><Force>1</Force></Delete>",
    "<Deletes><Object><Key>a</Key></Object></Deletes>",
  ]) {
    test(`refuses ${bad}`, () => {
      expectS3Error("MalformedXML", () => read(bad));
    });
  }
});

describe("CompleteMultipartUpload", () => {
  const read = (text: string, lenient = false): ReturnType<typeof parseCompleteMultipartUpload> =>
    parseCompleteMultipartUpload(Buffer.from(text), { lenient });
  const part = (number: number | string, inner = "<ETag>e</ETag>"): string =>
    `<Part><PartNumber>${number}</PartNumber>${inner}</Part>`;
  const upload = (...parts: readonly string[]): string =>
    `<CompleteMultipartUpload ${NAMESPACE}>${parts.join("\n")}</CompleteMultipartUpload>`;

  test("parts with and without quotes, with checksums", () => {
    const parts = read(
      upload(
        part(1, '<ETag>"a"</ETag><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32>'),
        part(" 3 ", "<ETag>b</ETag>"),
      ),
    );
    assert.deepEqual(
      parts.map(({ partNumber, etag }) => [partNumber, etag]),
      [
        [1, "a"],
        [3, "b"],
      ],
    );
    assert.deepEqual([...(parts[0]?.checksums ?? [])], [["CRC32", Buffer.from("cbf43926", "hex")]]);
  });

  test("ten thousand parts", () => {
    const all = Array.from({ length: 10_000 }, (_, index) => part(index + 1));
    assert.equal(read(upload(...all)).length, 10_000);
  });

  test("refuses disorder, repeats and wrong numbers", () => {
    expectS3Error("InvalidPartOrder", () => read(upload(part(2), part(1))));
    expectS3Error("InvalidPartOrder", () => read(upload(part(1), part(1))));
    for (const number of ["0", "10001", "-1", "1.5", "x", "", "1e3"]) {
      expectS3Error("InvalidArgument", () => read(upload(part(number))));
      expectS3Error("InvalidArgument", () => parsePartNumber(number));
    }
    assert.equal(parsePartNumber("10000"), 10_000);
  });

  test("refuses other shapes", () => {
    expectS3Error("MalformedXML", () => read(upload()));
    expectS3Error("MalformedXML", () => read(""));
    expectS3Error("MalformedXML", () => read(upload("<X/>")));
    expectS3Error("MalformedXML", () => read(upload(part(1, "<ETag>e</ETag><X/>"))));
    expectS3Error("MalformedXML", () => read(upload("<Part><ETag>e</ETag></Part>")));
    expectS3Error("InvalidRequest", () =>
      read(upload(part(1, "<ETag>e</ETag><ChecksumCRC32>x</ChecksumCRC32>"))),
    );
  });

  test("a missing ETag needs lenience", () => {
    expectS3Error("InvalidPart", () => read(upload(part(1, ""))));
    expectS3Error("InvalidPart", () => read(upload(part(1, '<ETag>""</ETag>'))));
    assert.equal(read(upload(part(1, "")), true)[0]?.etag, undefined);
    assert.equal(read(upload(part(1, "<ETag>e</ETag>")), true)[0]?.etag, "e");
  });
});
