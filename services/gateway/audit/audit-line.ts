// One line of the audit log: who did what to which resource from where, and how it ended. It is
// made of fields that are named here and of nothing else, so no header, query or body can bring a
// secret in; of an access token the public name is shown.

export interface AuditEvent {
  /** "admin": admin API, IAM and console; "s3": the S3 port. */
  readonly kind: "admin" | "s3";
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  readonly requestId: string;
  /** User; undefined: nobody proved who he is. */
  readonly who: string | undefined;
  readonly accessKeyId: string | undefined;
  /** Address that the request came from. */
  readonly source: string;
  /** Operation: "CreateUser", "PutBucketPolicy". */
  readonly action: string;
  /** What was acted on: a name, or `bucket/key`. */
  readonly resource: string;
  /** "ok", or the error's code. */
  readonly result: string;
}

/** Ended by a newline. */
export function auditLine(event: AuditEvent, node: string): string {
  const { timeMs, who, accessKeyId, ...rest } = event;
  const line = {
    time: new Date(timeMs).toISOString(),
    node,
    ...rest,
    who: who ?? "anonymous",
    ...(accessKeyId === undefined ? {} : { accessKeyId }),
  };
  return `${JSON.stringify(line)}\n`;
}
