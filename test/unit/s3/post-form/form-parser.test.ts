// POST forms as bytes: what browsers write is read whatever way it is cut, and nothing that is cut
// short or oversized looks whole.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  type PostForm,
  PostFormParser,
} from "../../../../services/lib/s3/post-form/form-parser.ts";
import { expectS3Error } from "../expect-s3-error.ts";

const TYPE = "multipart/form-data; boundary=----b";

function part(head: string, value: string): string {
  return `------b\r\nContent-Disposition: form-data; ${head}\r\n\r\n${value}\r\n`;
}

function field(name: string, value: string): string {
  return part(`name="${name}"`, value);
}

function form(file: string, before = field("key", "k"), after = ""): string {
  return `${before}${part('name="file"; filename="f.txt"', file)}${after}------b--\r\n`;
}

interface Parsed {
  readonly form: PostForm;
  readonly file: Buffer;
}

function parse(text: string | Buffer, cuts: readonly number[] = [], type = TYPE): Parsed {
  const parser = new PostFormParser(type);
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  const file: Buffer[] = [];
  let from = 0;
  for (const to of [...cuts.toSorted((a, b) => a - b), bytes.byteLength]) {
    // A copy that is overwritten afterwards: the parser must not keep the caller's memory.
    const view = Buffer.from(bytes.subarray(from, to));
    for (const piece of parser.push(view)) file.push(Buffer.from(piece));
    view.fill(0x2a);
    from = to;
  }
  return { form: parser.finish(), file: Buffer.concat(file) };
}

describe("accepted", () => {
  test("fields by lower-case name, the file as it is", () => {
    const text = form("hello\r\n--", field("Key", "a b") + field("X-Amz-Meta-é", "日本"));
    const parsed = parse(text);
    assert.deepEqual(parsed.form.fields.names(), ["key", "x-amz-meta-é"]);
    assert.equal(parsed.form.fields.get("x-amz-meta-é"), "日本");
    assert.equal(parsed.form.fileName, "f.txt");
    assert.equal(parsed.form.fileContentType, undefined);
    assert.equal(parsed.file.toString(), "hello\r\n--");
  });

  test("what undici writes for FormData", async () => {
    const data = new FormData();
    data.append("key", "up/x");
    data.append("empty", "");
    data.append("file", new Blob(["content"], { type: "text/css" }), 'a"b.css');
    const request = new Request("http://x/", { method: "POST", body: data });
    const type = request.headers.get("content-type") ?? "";
    const parsed = parse(Buffer.from(await request.arrayBuffer()), [], type);
    assert.equal(parsed.form.fields.get("key"), "up/x");
    assert.equal(parsed.form.fields.get("empty"), "");
    assert.equal(parsed.form.fileName, "a%22b.css");
    assert.equal(parsed.form.fileContentType, "text/css");
    assert.equal(parsed.file.toString(), "content");
  });

  test("any file, cut anywhere, comes out the same", () => {
    const pieces = fc.array(
      fc.constantFrom("\r", "\n", "-", "\r\n------", "\r\n------b".slice(0, 8), "x", "\r\n--", "b"),
      { maxLength: 30 },
    );
    const anywhere = fc.array(fc.nat({ max: 400 }), { maxLength: 20 });
    fc.assert(
      fc.property(pieces, anywhere, (content, cuts) => {
        const file = content.join("");
        fc.pre(!file.includes("\r\n------b"));
        const text = form(file, field("key", "k") + field("acl", "private"), field("x", "y"));
        const parsed = parse(
          text,
          cuts.filter((cut) => cut <= text.length),
        );
        assert.equal(parsed.file.toString(), file);
        assert.deepEqual(parsed.form.fields.names(), ["key", "acl"]);
      }),
    );
  });

  test("a part may have sixteen headers, and a long name", () => {
    parse(form("x", part(`name="a"${"\r\nX: y".repeat(15)}`, "v")));
    parse(form("x", part(`name="${"n".repeat(1024)}"`, "v")));
  });

  test("byte by byte, with an empty file, without an end of line after the end", () => {
    const text = form("").slice(0, -2);
    const every = Array.from({ length: text.length }, (_, index) => index);
    assert.equal(parse(text, every).file.byteLength, 0);
  });

  test("file names lose their path, boundaries may be quoted", () => {
    const name = (head: string) => parse(`${part(head, "")}------b--`).form.fileName;
    assert.equal(name('name="file"; filename="C:\\dir\\f.txt"'), "f.txt");
    assert.equal(name('name="file"; filename="/a/b/f.txt"'), "f.txt");
    assert.equal(name('name="file"; filename="a\\"b"'), 'a"b');
    assert.equal(name("name=file; FileName=plain"), "plain");
    assert.equal(name('name="file"'), undefined);
    const quoted = 'Multipart/Form-Data; charset=utf-8; boundary="----b"';
    assert.equal(parse(form("x"), [], quoted).file.toString(), "x");
  });

  test("bytes of a large file are not copied", () => {
    const parser = new PostFormParser(TYPE);
    parser.push(Buffer.from(form("").slice(0, -"\r\n------b--\r\n".length)));
    const view = Buffer.alloc(65_536, 0x61);
    const [piece] = parser.push(view);
    assert.equal(piece?.buffer, view.buffer);
    assert.equal(piece?.byteLength, view.byteLength);
  });
});

describe("refused", () => {
  test("other content types and bad boundaries", () => {
    for (const type of [
      undefined,
      "",
      "multipart/form-data",
      "multipart/form-data; boundary=",
      "multipart/mixed; boundary=b",
      "application/x-www-form-urlencoded",
      `multipart/form-data; boundary=${"b".repeat(71)}`,
      'multipart/form-data; boundary="a\\"b"',
    ]) {
      expectS3Error("RequestIsNotMultiPartContent", () => new PostFormParser(type));
    }
  });

  test("a form that is cut short, anywhere", () => {
    const text = form("hello", field("key", "k"));
    const complete = text.lastIndexOf("--") + 2;
    for (let end = 0; end < complete; end += 1) {
      assert.throws(() => parse(text.slice(0, end)), { code: "MalformedPOSTRequest" }, String(end));
    }
    parse(text.slice(0, complete));
  });

  test("no file", () => {
    expectS3Error("IncorrectNumberOfFilesInPostRequest", () => parse("------b--\r\n"));
    expectS3Error("IncorrectNumberOfFilesInPostRequest", () =>
      parse(`${field("key", "k")}------b--`),
    );
  });

  test("broken parts", () => {
    for (const text of [
      "preamble\r\n------b\r\n",
      form("x", "------bX\r\n"),
      form("x", "------b\r\nContent-Type: x\r\n\r\nv\r\n"),
      form("x", "------b\r\nno colon\r\n\r\nv\r\n"),
      form("x", "------b\r\n\r\nv\r\n"),
      form("x", "------b\r\n: x\r\nContent-Disposition: form-data; name=a\r\n\r\nv\r\n"),
      form("x", part(`name="a"${"\r\nX: y".repeat(16)}`, "v")),
      form("x", part(`name="${"n".repeat(1025)}"`, "v")),
      form("x", part("x=y", "v")),
      form("x", part('name=""', "v")),
      form("x", "------b\r\nContent-Disposition: attachment; name=a\r\n\r\nv\r\n"),
    ]) {
      expectS3Error("MalformedPOSTRequest", () => parse(text));
    }
    const notUtf8 = Buffer.from(form("x", field("key", "\u00ff")), "latin1");
    expectS3Error("MalformedPOSTRequest", () => parse(notUtf8));
  });

  test("a field twice", () => {
    expectS3Error("InvalidArgument", () => parse(form("x", field("key", "a") + field("KEY", "b"))));
  });

  test("too much before the file, or after it", () => {
    const fits = field("a", "v".repeat(19_999));
    parse(form("x", fits));
    const code = "MaxPostPreDataLengthExceededError";
    expectS3Error(code, () => parse(form("x", field("a", "v".repeat(20_000)))));
    expectS3Error(code, () => parse(form("x", fits + field("b", ""))));
    const many = Array.from({ length: 257 }, (_, index) => field(`f${index}`, "")).join("");
    expectS3Error(code, () => parse(form("x", many)));
    const parser = new PostFormParser(TYPE);
    expectS3Error(code, () => {
      for (let sent = 0; sent < 200_000; sent += 1000) {
        const head = sent === 0 ? "------b\r\nContent-Disposition: form-data; name=a\r\n\r\n" : "";
        parser.push(Buffer.from(head + "v".repeat(1000)));
      }
    });
    expectS3Error("MalformedPOSTRequest", () =>
      parse(form("x", undefined, field("z", "v".repeat(90_000)))),
    );
  });

  test("tiny pieces of a long field end soon", () => {
    const parser = new PostFormParser(TYPE);
    const started = process.hrtime.bigint();
    parser.push(Buffer.from("------b\r\nContent-Disposition: form-data; name=a\r\n\r\n"));
    const one = Buffer.from("v");
    expectS3Error("MaxPostPreDataLengthExceededError", () => {
      for (;;) parser.push(one);
    });
    assert.ok(process.hrtime.bigint() - started < 5_000_000_000n);
  });
});
