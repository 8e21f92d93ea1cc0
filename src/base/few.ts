// A few values by text, looked for one by one.
//
// In      texts that are asked for a few times each, one after another, of very many
// Out     the value, or undefined
// Limits  as many as its holder says; the oldest goes
// A Map would do, but V8 keeps each text that a Map is asked for until the next collection of everything, in a table that is made
// anew where it is full: of 100,000 names 8 to 15 ms in one turn.

export class Few<V> {
  readonly #texts: string[] = [];
  readonly #values: V[] = [];
  readonly #max: number;
  #next = 0;

  constructor(max: number) {
    this.#max = max;
  }

  find(text: string): V | undefined {
    const at = this.#texts.indexOf(text);
    return at < 0 ? undefined : this.#values[at];
  }

  add(text: string, value: V): void {
    this.#texts[this.#next] = text;
    this.#values[this.#next] = value;
    this.#next = (this.#next + 1) % this.#max;
  }
}
