// Bytes of request bodies for the tests of bucket settings.

const NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/";

export function body(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}

/** A document whose root is `name`, with declaration and namespace as the service writes it. */
export function documentText(name: string, inner: string): string {
  const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n';
  return `${declaration}<${name} xmlns="${NAMESPACE}">${inner}</${name}>`;
}
