// The history of a run: every attempt of every client, in memory for the checkers and as NDJSON on
// disk; the bodies that values stand for; the bytes that were wrong.
import { createWriteStream, type WriteStream } from "node:fs";
import { bodyOf } from "../checkers/bytes.ts";
import { type Operation, toLine } from "../checkers/history.ts";

/** A value's body: that of the value named `body`, `size` bytes. A copy has its source's. */
export interface Known {
  readonly body: string;
  readonly size: number;
}

export interface Acknowledged {
  readonly bucket: string;
  readonly key: string;
  readonly value: string;
  readonly versionId: string;
}

export class Recorder {
  readonly history: Operation[] = [];
  readonly values = new Map<string, Known>();
  /** Writes to versioned buckets that were acknowledged. */
  readonly versions: Acknowledged[] = [];
  readonly problems: string[] = [];
  /** Answers by kind of operation and status, for people. */
  readonly answers = new Map<string, number>();
  readonly #file: WriteStream;

  constructor(path: string) {
    this.#file = createWriteStream(path);
  }

  add(operation: Operation): void {
    this.history.push(operation);
    this.#file.write(toLine(operation));
  }

  count(name: string): void {
    this.answers.set(name, (this.answers.get(name) ?? 0) + 1);
  }

  problem(text: string): void {
    this.problems.push(text);
  }

  known(value: string): Known {
    const known = this.values.get(value);
    if (known === undefined) throw new Error(`nobody wrote ${value}`);
    return known;
  }

  body(value: string): Buffer {
    const { body, size } = this.known(value);
    return bodyOf({ value: body, size });
  }

  async close(): Promise<void> {
    await new Promise<void>((done) => this.#file.end(() => done()));
  }
}
