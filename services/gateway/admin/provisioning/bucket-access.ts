// What everybody may do in a bucket, in the four words that MinIO's tools use, as bucket policies.
// Only policies written here are ever replaced by another word; what somebody else wrote is his.
export type PublicAccess = "none" | "download" | "upload" | "public";

const ACTIONS: Readonly<Record<Exclude<PublicAccess, "none">, readonly string[]>> = {
  download: ["s3:GetObject"],
  upload: ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
  public: [
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
  ],
};

/** The text of the bucket's policy; undefined for "none". */
export function accessPolicy(bucket: string, access: PublicAccess): string | undefined {
  if (access === "none") return undefined;
  const everybody = { Effect: "Allow", Principal: { AWS: ["*"] } };
  const objects = {
    ...everybody,
    Action: ACTIONS[access],
    Resource: [`arn:aws:s3:::${bucket}/*`],
  };
  const listing = {
    ...everybody,
    Action: ["s3:ListBucket", "s3:GetBucketLocation"],
    Resource: [`arn:aws:s3:::${bucket}`],
  };
  const statements = access === "upload" ? [objects] : [listing, objects];
  return JSON.stringify({ Version: "2012-10-17", Statement: statements });
}

/** True for the text of a policy that `accessPolicy` wrote. */
export function isAccessPolicy(bucket: string, text: string): boolean {
  const words: readonly PublicAccess[] = ["download", "upload", "public"];
  return words.some((word) => accessPolicy(bucket, word) === text);
}

/** Lets policies open the bucket; ACLs stay blocked. */
export const OPEN_TO_POLICIES = `<PublicAccessBlockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>false</BlockPublicPolicy><RestrictPublicBuckets>false</RestrictPublicBuckets></PublicAccessBlockConfiguration>`;
