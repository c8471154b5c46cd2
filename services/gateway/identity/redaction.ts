// What a request target says to logs: everything but secrets. An access token in a presigned URL is
// shortened to its public name; session tokens and signatures, which are good until they expire,
// are left out.
import { publicName } from "./tokens.ts";

const CREDENTIAL = /([?&](?:X-Amz-Credential|AWSAccessKeyId)=)([^&]*)/gi;
const SECRET = /([?&](?:X-Amz-Security-Token|X-Amz-Signature|Signature)=)[^&]*/gi;
/** The scope after the access key in X-Amz-Credential. */
const SCOPE = /(?:%2F|\/)[0-9]{8}(?:%2F|\/).*$/i;

/** The target, fit to be kept. */
export function withoutSecrets(rawTarget: string): string {
  if (!rawTarget.includes("?")) return rawTarget;
  return rawTarget
    .replaceAll(SECRET, (_all, name: string) => `${name}-`)
    .replaceAll(CREDENTIAL, (_all, name: string, value: string) => {
      const scope = SCOPE.exec(value)?.[0] ?? "";
      const accessKey = value.slice(0, value.length - scope.length);
      return `${name}${publicName(unescaped(accessKey))}${scope}`;
    });
}

function unescaped(text: string): string {
  return text.replaceAll(/%([0-9a-fA-F]{2})/g, (_all, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
