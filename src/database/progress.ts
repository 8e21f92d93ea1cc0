// Progress of long work at the start, for people: a line now and then.

const EVERY_MS = 1000;

/** `report` at most once in a second, and not for what takes less. */
export function atIntervals<A extends readonly unknown[]>(report: (...args: A) => void): (...args: A) => void {
  let last = performance.now();
  return (...args) => {
    const now = performance.now();
    if (now - last < EVERY_MS) return;
    last = now;
    report(...args);
  };
}

/** `12,345` */
export function grouped(number: number): string {
  return number.toLocaleString('en-US');
}
