// All mechanisms, the best first: the order in which they are offered.

import { login } from './login.ts';
import type { SaslMechanism } from './mechanism.ts';
import { plain } from './plain.ts';

export const mechanisms: readonly SaslMechanism[] = [plain, login];

/** In any case; undefined when we do not have it. */
export function findMechanism(name: string): SaslMechanism | undefined {
  const upper = name.toUpperCase();
  return mechanisms.find((mechanism) => mechanism.name === upper);
}
