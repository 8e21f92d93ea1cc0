// Waits for what comes true by itself, as long as a machine with other work may need.

const WAIT_MS = 120_000;
const LOOK_MS = 20;

/** Resolves when it holds; rejects, with what was waited for, when it does not in `waitMs`. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, waitMs = WAIT_MS): Promise<void> {
  for (const end = performance.now() + waitMs; !(await holds()); ) {
    if (performance.now() > end) throw new Error(`waited ${waitMs} ms for ${what}`);
    await new Promise((turn) => setTimeout(turn, LOOK_MS));
  }
}
