// Where lines of the audit log go. A sink that throws is given the same lines again.

export interface AuditSink {
  /** Label of metrics: "file", "stdout", "webhook". */
  readonly name: string;
  /** `lines`: UTF-8, each ended by a newline. Resolves once they are as safe as the sink can be. */
  write(lines: Uint8Array): Promise<void>;
  close(): Promise<void>;
}
