// What the clients of a store were told. Each key belongs to one client at a time, so that its past
// is a sequence: the last outcome that is sure, and those that may or may not have come to pass.
// A value is the SHA-256 of a body in hex; undefined is "no such object".

export type Value = string | undefined;

interface KeyBelief {
  sure: Value;
  /** Outcomes of writes whose answer never came. */
  readonly maybe: Set<Value>;
}

export interface VersionBelief {
  readonly key: string;
  readonly value: string;
  state: "there" | "deleting" | "deleted";
}

export class Ledger {
  readonly keys = new Map<string, KeyBelief>();
  /** By version id. */
  readonly versions = new Map<string, VersionBelief>();
  /** Bodies of versions whose answer never came, as `key hash`. */
  readonly maybeVersions = new Set<string>();
  /** Keys written, and versions made or deleted, since `settled` was last called. */
  readonly touched = new Set<string>();
  acknowledged = 0;
  unknown = 0;

  belief(key: string): KeyBelief {
    let belief = this.keys.get(key);
    if (belief === undefined) {
      belief = { sure: undefined, maybe: new Set() };
      this.keys.set(key, belief);
    }
    return belief;
  }

  /** True while the key's state is known: an unknown outcome may still come to pass. */
  isKnown(key: string): boolean {
    return this.belief(key).maybe.size === 0;
  }

  /** Before the write is sent. */
  begin(key: string, value: Value): void {
    this.belief(key).maybe.add(value);
    this.touched.add(key);
  }

  acknowledge(key: string, value: Value): void {
    const belief = this.belief(key);
    belief.sure = value;
    belief.maybe.delete(value);
    this.acknowledged += 1;
  }

  /** Whether a reader may see `value`. */
  allows(key: string, value: Value): boolean {
    const { sure, maybe } = this.belief(key);
    return value === sure || maybe.has(value);
  }

  /** A reader saw `value` when no write could still be under way: from now on it is sure. */
  settle(key: string, value: Value): void {
    const belief = this.belief(key);
    belief.sure = value;
    belief.maybe.clear();
  }

  describe(key: string): string {
    const { sure, maybe } = this.belief(key);
    const text = (value: Value): string => value?.slice(0, 12) ?? "absent";
    return `acknowledged ${text(sure)}, unanswered [${[...maybe].map(text).join(", ")}]`;
  }
}
