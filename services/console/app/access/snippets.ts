// Ready-made settings of common clients for an access key or token, with this server's address.
export interface Access {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface Snippet {
  readonly name: string;
  readonly text: string;
}

/** Tokens go alone; clients want some secret all the same. */
export const TOKEN_SECRET = "unused";

export function awsConfig({ endpoint, region, accessKeyId, secretAccessKey }: Access): string {
  return [
    "[profile dolium]",
    `aws_access_key_id = ${accessKeyId}`,
    `aws_secret_access_key = ${secretAccessKey}`,
    `region = ${region}`,
    `endpoint_url = ${endpoint}`,
    "s3 =",
    "  addressing_style = path",
    "",
  ].join("\n");
}

export function snippets(access: Access): readonly Snippet[] {
  const { endpoint, region, accessKeyId, secretAccessKey } = access;
  const host = endpoint.replace(/^https?:\/\//, "");
  const isTls = endpoint.startsWith("https:");
  return [
    { name: "~/.aws/config", text: awsConfig(access) },
    {
      name: "Environment",
      text: [
        `export AWS_ENDPOINT_URL=${endpoint}`,
        `export AWS_REGION=${region}`,
        `export AWS_ACCESS_KEY_ID=${accessKeyId}`,
        `export AWS_SECRET_ACCESS_KEY=${secretAccessKey}`,
      ].join("\n"),
    },
    {
      name: "rclone",
      text: [
        "[dolium]",
        "type = s3",
        "provider = Other",
        `endpoint = ${endpoint}`,
        `region = ${region}`,
        `access_key_id = ${accessKeyId}`,
        `secret_access_key = ${secretAccessKey}`,
        "force_path_style = true",
      ].join("\n"),
    },
    {
      name: "s3cmd",
      text: [
        "[default]",
        `access_key = ${accessKeyId}`,
        `secret_key = ${secretAccessKey}`,
        `host_base = ${host}`,
        `host_bucket = ${host}`,
        `use_https = ${isTls ? "True" : "False"}`,
      ].join("\n"),
    },
    {
      name: "boto3",
      text: [
        "import boto3",
        "",
        "s3 = boto3.client(",
        '    "s3",',
        `    endpoint_url="${endpoint}",`,
        `    region_name="${region}",`,
        `    aws_access_key_id="${accessKeyId}",`,
        `    aws_secret_access_key="${secretAccessKey}",`,
        ")",
        'print(s3.list_buckets()["Buckets"])',
      ].join("\n"),
    },
  ];
}
