// The first start: the entries of an empty directory and the administrator's password.
//
// The password is made once and written to `admin-password` (mode 0600) before the directory knows it, so that a crash in
// between leaves a file that is simply made again. No line end in it: `ldapsearch -y` takes a file as it is.

import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { passwordValues } from '../auth/hash-clear.ts';
import { HashGate } from '../auth/hash-gate.ts';
import type { Clock } from '../base/clock.ts';
import type { Reader, Writer } from '../database/operation.ts';
import { ADMINISTRATOR_DN } from '../directory/caller.ts';
import { findEntry } from '../directory/entries.ts';
import { bootstrap } from '../provisioning/bootstrap.ts';
import { adminPasswordPath } from './paths.ts';

/** 120 bits in letters that cannot be confused. */
const PASSWORD_LETTERS = 'abcdefghjkmnpqrstuvwxyz23456789';
const PASSWORD_LENGTH = 24;

function makePassword(): string {
  let password = '';
  while (password.length < PASSWORD_LENGTH) {
    for (const byte of randomBytes(32)) {
      // Bytes beyond the last whole multiple would favour the first letters.
      if (byte < 248 && password.length < PASSWORD_LENGTH) password += PASSWORD_LETTERS[byte % PASSWORD_LETTERS.length];
    }
  }
  return password;
}

export interface FirstStartParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
  /** False: the password gets no keys for SCRAM. */
  readonly makesKeys: boolean;
}

/** The generated password, undefined when the directory had its administrator already. */
export async function firstStart(data: string, hostname: string, parts: FirstStartParts): Promise<string | undefined> {
  if (findEntry(parts.reader, ADMINISTRATOR_DN) !== undefined) return undefined;
  const password = makePassword();
  rmSync(adminPasswordPath(data), { force: true });
  writeFileSync(adminPasswordPath(data), password, { mode: 0o600, flush: true });
  const hashing = { gate: new HashGate(), makesKeys: parts.makesKeys };
  const values = await passwordValues(Buffer.from(password), hashing);
  await parts.writer.execute(bootstrap, { passwordValues: values, hostname, now: parts.clock.now() });
  return password;
}
