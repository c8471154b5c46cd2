// Names of keys as clients write them, and as answers show them. Source: AWS KMS developer guide,
// "Key identifiers (KeyId)".

const KEY_ID_CHARACTERS_MAX = 2048;
const ARN = /^arn:[a-z0-9-]+:kms:[A-Za-z0-9-]*:[0-9]*:(.+)$/;

/**
 * The name in a key id: NAME, key/NAME, alias/NAME, or an ARN of either; undefined when it is none.
 */
export function kmsKeyName(keyId: string): string | undefined {
  if (keyId.length > KEY_ID_CHARACTERS_MAX) return undefined;
  const inArn = ARN.exec(keyId)?.[1];
  const resource = inArn ?? keyId;
  const name = /^(?:key|alias)\/(.+)$/.exec(resource)?.[1];
  return name ?? (inArn === undefined && !keyId.includes(":") ? keyId : undefined);
}

/** The ARN under which answers name a key. */
export function kmsKeyArn(name: string, region: string): string {
  return `arn:aws:kms:${region}:0:key/${name}`;
}
