// Types of the part of npm aws4 that the tests use as an oracle; the package has none.
declare module "aws4" {
  export interface Request {
    host: string;
    method: string;
    path: string;
    service: string;
    region: string;
    signQuery?: boolean;
    headers: Record<string, string>;
    body?: string;
  }
  export interface Credentials {
    accessKeyId: string;
    secretAccessKey: string;
    sessionToken?: string;
  }
  const aws4: { sign(request: Request, credentials: Credentials): Request };
  // biome-ignore lint/style/noDefaultExport: the package exports this way
  export default aws4;
}
