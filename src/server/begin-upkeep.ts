// The upkeep thread begins when the server serves.

import type { MainParts } from './main-parts.ts';

/** Other threads have begun, and the first mail has come: a start has both cores for itself. */
const BEGIN_MS = 2000;

/** Gives the function that keeps it from beginning; a thread that runs ends with all others. */
export function beginUpkeep({ supervisor }: Pick<MainParts, 'supervisor'>, fatal: (text: string) => void): () => void {
  const module = new URL('./threads/upkeep.ts', import.meta.url);
  const timer = setTimeout(() => {
    supervisor.startThread({ name: 'upkeep', module, isBusy: false }).catch((error: Error) => fatal(error.message));
  }, BEGIN_MS);
  return () => clearTimeout(timer);
}
