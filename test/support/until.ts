// Waits for what comes true by itself, as long as a machine with other work may need.

const WAIT_MS = 120_000;
/** A look may cost a login, or a process: the longer it has been waited for, the seldomer, a twentieth of that time apart. */
const LOOK_MS = 20;
const LOOK_MS_MAX = 250;
const PARTS = 20;

/** Resolves when it holds; rejects, with what was waited for, when it does not in `waitMs`. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, waitMs = WAIT_MS): Promise<void> {
  for (const began = performance.now(); !(await holds()); ) {
    const waited = performance.now() - began;
    if (waited > waitMs) throw new Error(`waited ${waitMs} ms for ${what}`);
    const next = Math.min(LOOK_MS_MAX, Math.max(LOOK_MS, waited / PARTS));
    await new Promise((turn) => setTimeout(turn, next));
  }
}
