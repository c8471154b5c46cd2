// Condition keys that are worked out when the first of them is looked at: most requests meet no
// policy that asks for any.
import type { ConditionContext } from "../../../lib/iam/model.ts";

type Values = readonly string[];

export class DeferredKeys implements ConditionContext {
  readonly #make: () => ReadonlyMap<string, Values>;
  #made: ReadonlyMap<string, Values> | undefined;

  constructor(make: () => ReadonlyMap<string, Values>) {
    this.#make = make;
  }

  get size(): number {
    return this.#keys().size;
  }

  get(key: string): Values | undefined {
    return this.#keys().get(key);
  }

  has(key: string): boolean {
    return this.#keys().has(key);
  }

  keys(): MapIterator<string> {
    return this.#keys().keys();
  }

  values(): MapIterator<Values> {
    return this.#keys().values();
  }

  entries(): MapIterator<[string, Values]> {
    return this.#keys().entries();
  }

  forEach(visit: (values: Values, key: string, map: ConditionContext) => void): void {
    for (const [key, values] of this.#keys()) visit(values, key, this);
  }

  [Symbol.iterator](): MapIterator<[string, Values]> {
    return this.#keys()[Symbol.iterator]();
  }

  #keys(): ReadonlyMap<string, Values> {
    this.#made ??= this.#make();
    return this.#made;
  }
}
