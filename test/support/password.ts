// A password as the directory stores it, made without the server.

import { argon2Sync, randomBytes } from 'node:crypto';

/** `{ARGON2}` and the PHC string (19 MiB, t=2), as the server itself would store the password. RFC 9106 §3.1 */
export function argon2Hash(password: string): string {
  const nonce = randomBytes(16);
  const cost = { parallelism: 1, tagLength: 32, memory: 19_456, passes: 2 };
  const tag = argon2Sync('argon2id', { message: password, nonce, ...cost });
  const text = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');
  return `{ARGON2}$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.parallelism}$${text(nonce)}$${text(tag)}`;
}
