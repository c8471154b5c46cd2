// The default encryption of a bucket: parses PutBucketEncryption, writes GetBucketEncryption. Which
// keys exist is the caller's to check. Source: Amazon S3 API reference, PutBucketEncryption,
// ServerSideEncryptionByDefault, BlockedEncryptionTypes.
import { openDocument } from "../document-parts.ts";
import { invalidArgument, S3Error } from "../errors.ts";
import { optionalBoolean, optionalWord, requiredChoice, trimLines } from "../xml-fields.ts";
import { checkShape, childNamed, malformedXml, parseXml, type XmlElement } from "../xml-reader.ts";

const KEY_LENGTH_MAX = 2048;

export interface DefaultEncryption {
  readonly algorithm: "AES256" | "aws:kms";
  /** Undefined: the cluster's default key. */
  readonly keyName: string | undefined;
  readonly bucketKeyEnabled: boolean;
  /** Refuse new objects under keys that clients bring. */
  readonly blocksCustomerKeys: boolean;
}

/**
 * Parses the one rule of a configuration. Throws MalformedXML, InvalidArgument (a key without KMS),
 * NotImplemented (dual-layer encryption).
 */
export function parseEncryption(body: Uint8Array): DefaultEncryption {
  const root = parseXml(body);
  checkShape(root, "ServerSideEncryptionConfiguration", ["Rule"]);
  const [rule, second] = root.children;
  if (rule === undefined || second !== undefined) throw malformedXml();
  checkShape(rule, "Rule", [
    "ApplyServerSideEncryptionByDefault",
    "BucketKeyEnabled",
    "BlockedEncryptionTypes",
  ]);
  const byDefault = childNamed(rule, "ApplyServerSideEncryptionByDefault");
  const bucketKeyEnabled = optionalBoolean(rule, "BucketKeyEnabled") ?? false;
  const blocksCustomerKeys = parseBlocked(childNamed(rule, "BlockedEncryptionTypes"));
  if (byDefault === undefined) {
    if (rule.children.length === 0) throw malformedXml();
    return { algorithm: "AES256", keyName: undefined, bucketKeyEnabled, blocksCustomerKeys };
  }
  return { ...parseDefault(byDefault), bucketKeyEnabled, blocksCustomerKeys };
}

function parseDefault(element: XmlElement): Pick<DefaultEncryption, "algorithm" | "keyName"> {
  checkShape(element, "ApplyServerSideEncryptionByDefault", ["SSEAlgorithm", "KMSMasterKeyID"]);
  const algorithm = requiredChoice(element, "SSEAlgorithm", ["AES256", "aws:kms", "aws:kms:dsse"]);
  const keyName = optionalWord(element, "KMSMasterKeyID") || undefined;
  if (algorithm === "aws:kms:dsse") throw new S3Error("NotImplemented");
  if (keyName !== undefined && algorithm === "AES256") {
    throw invalidArgument(
      "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or " +
        "aws:kms:dsse",
      "ApplyServerSideEncryptionByDefault",
      keyName,
    );
  }
  if (keyName !== undefined && keyName.length > KEY_LENGTH_MAX) throw malformedXml();
  return { algorithm, keyName };
}

function parseBlocked(element: XmlElement | undefined): boolean {
  if (element === undefined) return false;
  checkShape(element, "BlockedEncryptionTypes", ["EncryptionType"]);
  const types = element.children.map((child) => trimLines(child.text));
  if (!types.every((type) => type === "NONE" || type === "SSE-C")) throw malformedXml();
  if (types.length !== 1) throw malformedXml();
  return types[0] === "SSE-C";
}

/** GetBucketEncryption, and the form in which the setting is kept. */
export function encryptionDocument(encryption: DefaultEncryption): string {
  const writer = openDocument("ServerSideEncryptionConfiguration").open("Rule");
  writer.open("ApplyServerSideEncryptionByDefault").leaf("SSEAlgorithm", encryption.algorithm);
  writer.optional("KMSMasterKeyID", encryption.keyName);
  writer.close("ApplyServerSideEncryptionByDefault");
  writer.leaf("BucketKeyEnabled", encryption.bucketKeyEnabled);
  if (encryption.blocksCustomerKeys) {
    writer.open("BlockedEncryptionTypes").leaf("EncryptionType", "SSE-C");
    writer.close("BlockedEncryptionTypes");
  }
  return writer.close("Rule").close("ServerSideEncryptionConfiguration").finish();
}
