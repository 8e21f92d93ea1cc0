// All mechanisms, the best first: the order in which they are offered.

import { external } from './external.ts';
import { login } from './login.ts';
import type { SaslMechanism } from './mechanism.ts';
import { plain } from './plain.ts';
import { scram, scramPlus } from './scram.ts';

export const mechanisms: readonly SaslMechanism[] = [external, scramPlus, scram, plain, login];

/** In any case; undefined when we do not have it. */
export function findMechanism(name: string): SaslMechanism | undefined {
  const upper = name.toUpperCase();
  return mechanisms.find((mechanism) => mechanism.name === upper);
}
