// `$2a$`, `$2b$` and `$2y$` of crypt(3): bcrypt. The three mean the same here: older makers wrote the first for all.
//
// In      the password's octets, the setting up to the end of the salt
// Out     what stands behind the salt, 31 letters; undefined for octets that are no UTF-8, which the library cannot take
// Limits  the first 72 octets of a password count
// The library: docs/decisions/2026-11-27-bcrypt-by-a-library.md

import { isUtf8 } from 'node:buffer';
import bcrypt from 'bcryptjs';

/** `$2b$12$` and 22 letters of salt. */
const SETTING_LENGTH = 29;

export function bcryptText(password: Buffer, setting: string): string | undefined {
  if (!isUtf8(password)) return undefined;
  return bcrypt.hashSync(password.toString('utf8'), setting).slice(SETTING_LENGTH);
}
