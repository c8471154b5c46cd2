// What a migration did and what it could not carry, counted while it runs and told at its end.
import { asCommandError } from "../objects/failure.ts";
import type { Report } from "../objects/report.ts";
import { counted, shown, shownSize } from "../objects/shown-text.ts";

export interface BucketCounts {
  keys: number;
  versions: number;
  deleteMarkers: number;
  bytes: number;
  /** There already, and the same. */
  already: number;
  failed: number;
  verified: number;
  verifiedByBytes: number;
}

export interface NotCarried {
  readonly bucket: string;
  readonly what: string;
  readonly why: string;
}

export class BucketOutcome {
  readonly bucket: string;
  readonly counts: BucketCounts = {
    keys: 0,
    versions: 0,
    deleteMarkers: 0,
    bytes: 0,
    already: 0,
    failed: 0,
    verified: 0,
    verifiedByBytes: 0,
  };
  readonly settings: string[] = [];
  readonly notCarried: NotCarried[] = [];
  /** Things that are each one note, however many objects they are about. */
  readonly #noted = new Map<string, { why: string; count: number }>();
  readonly #report: Report;

  constructor(bucket: string, report: Report) {
    this.bucket = bucket;
    this.#report = report;
  }

  /** Cannot be carried by its nature, or is not known to one of the two. */
  note(what: string, why: string): void {
    const known = this.#noted.get(what);
    if (known === undefined) this.#noted.set(what, { why, count: 1 });
    else known.count += 1;
  }

  lost(what: string, why: string): void {
    this.notCarried.push({ bucket: this.bucket, what, why });
  }

  /** One thing failed; the others go on. Throws when the store is gone. */
  failed(error: unknown, name: string): void {
    this.counts.failed += 1;
    this.#report.fail(asCommandError(error, name), name);
  }

  all(): NotCarried[] {
    const noted = [...this.#noted].map(([what, { why, count }]) => ({
      bucket: this.bucket,
      what: count === 1 ? what : `${what} (${count} times)`,
      why,
    }));
    return [...this.notCarried, ...noted];
  }

  line(dryRun: boolean): string {
    const { keys, versions, deleteMarkers, bytes, already, failed, verified } = this.counts;
    const verb = dryRun ? "would carry" : "carried";
    const parts = [
      `${verb} ${counted(versions, "version")} of ${counted(keys, "key")}, ${shownSize(bytes)}`,
      ...(deleteMarkers === 0 ? [] : [counted(deleteMarkers, "delete marker")]),
      ...(already === 0 ? [] : [`${already} were there`]),
      ...(failed === 0 ? [] : [`${failed} failed`]),
      ...(verified === 0
        ? []
        : [`${verified} compared, ${this.counts.verifiedByBytes} of them byte by byte`]),
    ];
    return `${shown(this.bucket)}: ${parts.join("; ")}`;
  }
}
