// A stable sort of many things that yields between short runs of work, so that others have their turn.

const RUN = 512;
const STEPS = 4096;

/** A new array. */
export function* sortInTurns<T>(items: readonly T[], compare: (a: T, b: T) => number): Generator<void, T[]> {
  let from = items.slice();
  for (let at = 0; at < from.length; at += RUN) {
    const run = from.slice(at, at + RUN).sort(compare);
    for (let i = 0; i < run.length; i++) from[at + i] = run[i]!;
    yield;
  }
  let to = from.slice();
  let steps = 0;
  for (let width = RUN; width < from.length; width *= 2) {
    for (let start = 0; start < from.length; start += 2 * width) {
      const middle = Math.min(start + width, from.length);
      const end = Math.min(start + 2 * width, from.length);
      let left = start;
      let right = middle;
      for (let at = start; at < end; at++) {
        const takesLeft = left < middle && (right >= end || compare(from[left]!, from[right]!) <= 0);
        to[at] = takesLeft ? from[left++]! : from[right++]!;
        if (++steps % STEPS === 0) yield;
      }
    }
    [from, to] = [to, from];
  }
  return from;
}
