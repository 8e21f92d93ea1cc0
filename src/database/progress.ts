// Progress of long work at the start, for people: a line now and then, and the last one.

const EVERY_MS = 1000;

/** `report` at most once in a second, and when the work is done: its last two arguments are `done` and `of`. */
export function atIntervals<A extends readonly unknown[]>(
  report: (...args: [...A, done: number, of: number]) => void,
): (...args: [...A, done: number, of: number]) => void {
  let last = performance.now();
  return (...args) => {
    const [done, of] = args.slice(-2);
    const now = performance.now();
    if (done !== of && now - last < EVERY_MS) return;
    last = now;
    report(...args);
  };
}

/** `12,345` */
export function grouped(number: number): string {
  return number.toLocaleString('en-US');
}
