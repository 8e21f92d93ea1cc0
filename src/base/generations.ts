// A memory in two halves: where the younger is full it becomes the older, whose values go unless they are asked for again. So what
// is asked once does not push out what is asked often, and nothing has to be put in order at a look.
//
// In      values by key, what each takes
// Out     the value, or undefined
// Limits  `room`, both halves together

export class Generations<V> {
  readonly #half: number;
  readonly #takes: (value: V) => number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();
  #taken = 0;

  /** `takes`: 1 each unless it says otherwise. */
  constructor(room: number, takes: (value: V) => number = () => 1) {
    this.#half = room / 2;
    this.#takes = takes;
  }

  find(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.add(key, old);
    return old;
  }

  add(key: string, value: V): void {
    const takes = this.#takes(value);
    if (this.#taken + takes > this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#taken = 0;
    }
    this.#young.set(key, value);
    this.#taken += takes;
  }

  forget(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  forgetThose(isOne: (value: V) => boolean): void {
    for (const half of [this.#young, this.#old]) for (const [key, value] of half) if (isOne(value)) half.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#taken = 0;
  }
}
