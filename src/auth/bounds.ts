// Bounds that all of auth keeps.

/** A name to log in with, in characters: longer ones are unknown. */
export const LOGIN_LENGTH_MAX = 512;

/** Makes room for one more. Maps keep the order of insertion: the oldest goes. */
export function keepBelow(map: Map<string, unknown>, max: number): void {
  if (map.size < max) return;
  const oldest = map.keys().next();
  if (oldest.done !== true) map.delete(oldest.value);
}
