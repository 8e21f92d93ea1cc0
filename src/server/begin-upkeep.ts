// The upkeep thread begins when the server serves.

import type { MainParts } from './main-parts.ts';
import type { Switches } from './switches.ts';

/** Gives the function that keeps it from beginning; a thread that runs ends with all others. */
export function beginUpkeep(
  { supervisor }: Pick<MainParts, 'supervisor'>,
  fatal: (text: string) => void,
  { upkeepAfterMs }: Switches,
): () => void {
  const module = new URL('./threads/upkeep.ts', import.meta.url);
  const timer = setTimeout(() => {
    supervisor.startThread({ name: 'upkeep', module, isBusy: false }).catch((error: Error) => fatal(error.message));
  }, upkeepAfterMs);
  return () => clearTimeout(timer);
}
