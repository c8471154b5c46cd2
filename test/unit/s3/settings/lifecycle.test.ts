// Lifecycle documents: every form of rule goes round, every combination S3 refuses is refused.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type LifecycleRule,
  lifecycleDocument,
  parseLifecycle,
  parseStoredLifecycle,
} from "../../../../services/lib/s3/settings/lifecycle.ts";
import { expectS3Error } from "../expect-s3-error.ts";
import { body } from "./bodies.ts";

const OPTIONS = {
  makeId: (index: number) => `made-${index}`,
  isStorageClass: (name: string) => ["GLACIER", "STANDARD_IA"].includes(name),
};

function parse(...rules: string[]): readonly LifecycleRule[] {
  const inner = rules.map((rule) => `<Rule>${rule}</Rule>`).join("");
  return parseLifecycle(body(`<LifecycleConfiguration>${inner}</LifecycleConfiguration>`), OPTIONS);
}

const ON = "<Status>Enabled</Status>";
const ALL = `<Filter/>${ON}`;
const EXPIRE = "<Expiration><Days>1</Days></Expiration>";

function tag(key: string): string {
  return `<Tag><Key>${key}</Key><Value>v</Value></Tag>`;
}

describe("accepted", () => {
  test("rules of every form go round", () => {
    const rules = parse(
      `<ID>legacy</ID><Prefix>logs/</Prefix>${ON}${EXPIRE}`,
      `<Filter><Prefix>a b</Prefix></Filter><Status>Disabled</Status>${EXPIRE}`,
      `<Filter>${tag("k")}</Filter>${ON}<Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration>`,
      `<Filter><And><Prefix>p</Prefix>${tag("k")}${tag("l")}<ObjectSizeGreaterThan>0</ObjectSizeGreaterThan><ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter>${ON}${EXPIRE}`,
      `${ALL}<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>`,
      `${ALL}<Transition><Days>0</Days><StorageClass>STANDARD_IA</StorageClass></Transition><Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition><Expiration><Days>31</Days></Expiration>`,
      `${ALL}<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays><NewerNoncurrentVersions>100</NewerNoncurrentVersions></NoncurrentVersionExpiration><NoncurrentVersionTransition><NoncurrentDays>0</NoncurrentDays><StorageClass>GLACIER</StorageClass></NoncurrentVersionTransition>`,
      `${ALL}<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>`,
      `<Filter><ObjectSizeLessThan>5</ObjectSizeLessThan></Filter>${ON}${EXPIRE}`,
    );
    assert.deepEqual(parseStoredLifecycle(body(lifecycleDocument(rules))), rules);
    assert.deepEqual(
      rules.map((rule) => rule.id),
      ["legacy", ...Array.from({ length: 8 }, (_, index) => `made-${index + 1}`)],
    );
    assert.equal(rules[1]?.isEnabled, false);
    assert.deepEqual(rules[2]?.expiration, { kind: "date", dateMs: Date.UTC(2030, 0, 1) });
    assert.deepEqual(rules[3]?.filter.tags.length, 2);
    assert.deepEqual(rules[6]?.noncurrentExpiration, { days: 3, newerVersions: 100 });
    assert.equal(rules[7]?.abortUploadDays, 7);
  });

  test("the legacy form is told in the legacy form, a filter as a filter", () => {
    const [legacy] = parse(`<Prefix></Prefix>${ON}${EXPIRE}`);
    assert.ok(legacy !== undefined);
    assert.match(lifecycleDocument([legacy]), /<ID>made-0<\/ID><Prefix><\/Prefix><Status>/);
    const [filtered] = parse(`<Filter><Prefix></Prefix></Filter>${ON}${EXPIRE}`);
    assert.ok(filtered !== undefined);
    assert.match(lifecycleDocument([filtered]), /<Filter><Prefix><\/Prefix><\/Filter>/);
    const [one] = parse(`<Filter><And>${tag("k")}</And></Filter>${ON}${EXPIRE}`);
    assert.ok(one !== undefined);
    assert.match(lifecycleDocument([one]), /<Filter><Tag>/);
  });

  test("dates without a time, and with UTC as an offset", () => {
    for (const date of ["2030-01-01", "2030-01-01T00:00:00Z", "2030-01-01T00:00:00+00:00"]) {
      const [rule] = parse(`${ALL}<Expiration><Date>${date}</Date></Expiration>`);
      assert.deepEqual(rule?.expiration, { kind: "date", dateMs: Date.UTC(2030, 0, 1) });
    }
  });

  test("1000 rules, and no more", () => {
    const rule = (_: unknown, index: number) => `<ID>${index}</ID>${ALL}${EXPIRE}`;
    assert.equal(parse(...Array.from({ length: 1000 }, rule)).length, 1000);
    expectS3Error("MalformedXML", () => parse(...Array.from({ length: 1001 }, rule)));
    expectS3Error("MalformedXML", () => parse());
  });
});

describe("refused", () => {
  const refuse = (code: Parameters<typeof expectS3Error>[0], rules: readonly string[]): void => {
    for (const rule of rules) expectS3Error(code, () => parse(rule));
  };

  test("broken shapes", () => {
    refuse("MalformedXML", [
      `${ON}${EXPIRE}`,
      `<Prefix/>${ALL}${EXPIRE}`,
      `<Filter/>${EXPIRE}`,
      `<Filter/><Status>enabled</Status>${EXPIRE}`,
      `<Filter><Prefix>a</Prefix>${tag("k")}</Filter>${ON}${EXPIRE}`,
      `<Filter><Other/></Filter>${ON}${EXPIRE}`,
      // What holds nothing would be a rule for every object.
      `<Filter><And></And></Filter>${ON}${EXPIRE}`,
      `<Filter>logs/</Filter>${ON}${EXPIRE}`,
      `<Filter><And>logs/</And></Filter>${ON}${EXPIRE}`,
      `${ALL}<Expiration/>`,
      `${ALL}<Expiration><Days>1</Days><Date>2030-01-01</Date></Expiration>`,
      `${ALL}<Expiration><Days>1</Days><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>`,
      `${ALL}<Expiration><Date>soon</Date></Expiration>`,
      `${ALL}<Expiration><Days>2147483648</Days></Expiration>`,
      `${ALL}<Transition><StorageClass>GLACIER</StorageClass></Transition>`,
      `${ALL}<Transition><Days>1</Days></Transition>`,
      `${ALL}<Transition><Days>1</Days><StorageClass>a b</StorageClass></Transition>`,
      `${ALL}<NoncurrentVersionExpiration/>`,
      `${ALL}<NoncurrentVersionExpiration><NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>`,
      `${ALL}<AbortIncompleteMultipartUpload/>`,
      `${ALL}${EXPIRE}${EXPIRE}`,
    ]);
  });

  test("wrong numbers, dates and ids", () => {
    refuse("InvalidArgument", [
      `${ALL}<Expiration><Days>0</Days></Expiration>`,
      `${ALL}<Expiration><Days>-1</Days></Expiration>`,
      `${ALL}<Expiration><Date>2030-01-01T00:00:01Z</Date></Expiration>`,
      `${ALL}<Transition><Days>-1</Days><StorageClass>GLACIER</StorageClass></Transition>`,
      `${ALL}<NoncurrentVersionExpiration><NoncurrentDays>0</NoncurrentDays></NoncurrentVersionExpiration>`,
      `${ALL}<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>0</NewerNoncurrentVersions></NoncurrentVersionExpiration>`,
      `${ALL}<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>101</NewerNoncurrentVersions></NoncurrentVersionExpiration>`,
      `${ALL}<AbortIncompleteMultipartUpload><DaysAfterInitiation>0</DaysAfterInitiation></AbortIncompleteMultipartUpload>`,
      `${ALL}<Expiration><Days>30</Days></Expiration><Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition>`,
      `${ALL}<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration><NoncurrentVersionTransition><NoncurrentDays>3</NoncurrentDays><StorageClass>GLACIER</StorageClass></NoncurrentVersionTransition>`,
      `<ID>${"i".repeat(256)}</ID>${ALL}${EXPIRE}`,
    ]);
    const same = `<ID>x</ID>${ALL}${EXPIRE}`;
    expectS3Error("InvalidArgument", () => parse(same, same));
  });

  test("what does not go together", () => {
    const sizes = (greater: number, less: number) =>
      `<Filter><And><ObjectSizeGreaterThan>${greater}</ObjectSizeGreaterThan><ObjectSizeLessThan>${less}</ObjectSizeLessThan></And></Filter>${ON}${EXPIRE}`;
    parse(sizes(5, 7));
    const abort =
      "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>";
    const glacier = "<StorageClass>GLACIER</StorageClass>";
    refuse("InvalidRequest", [
      ALL,
      sizes(5, 6),
      sizes(5, 5),
      `<Filter><And>${tag("k")}${tag("k")}</And></Filter>${ON}${EXPIRE}`,
      `<Filter>${tag("k")}</Filter>${ON}${abort}`,
      `<Filter><ObjectSizeLessThan>5</ObjectSizeLessThan></Filter>${ON}${abort}`,
      `<Filter>${tag("k")}</Filter>${ON}<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>`,
      `${ALL}<Transition><Days>1</Days>${glacier}</Transition><Transition><Days>2</Days>${glacier}</Transition>`,
      `${ALL}<Transition><Days>1</Days>${glacier}</Transition><Expiration><Date>2030-01-01</Date></Expiration>`,
    ]);
    refuse("InvalidStorageClass", [
      `${ALL}<Transition><Days>1</Days><StorageClass>COLD</StorageClass></Transition>`,
    ]);
  });
});
