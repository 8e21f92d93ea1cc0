// A password as the directory stores it, made without the server.

import { argon2Sync, randomBytes } from 'node:crypto';

interface Cost {
  /** KiB. */
  readonly memory: number;
  readonly passes: number;
}

/** What the server itself takes. */
const USUAL: Cost = { memory: 19_456, passes: 2 };
/** The least there is: a login costs next to nothing. RFC 9106 §3.1 */
export const CHEAPEST: Cost = { memory: 8, passes: 1 };

/** `{ARGON2}` and the PHC string, as the server itself would store the password. */
export function argon2Hash(password: string, how = USUAL): string {
  const nonce = randomBytes(16);
  const cost = { parallelism: 1, tagLength: 32, ...how };
  const tag = argon2Sync('argon2id', { message: password, nonce, ...cost });
  const text = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');
  return `{ARGON2}$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.parallelism}$${text(nonce)}$${text(tag)}`;
}
