// `admin-password` in the data directory: a copy of the generated password, for convenience, until it is changed.

import { readFileSync, rmSync } from 'node:fs';
import { HashGate } from '../auth/hash-gate.ts';
import { verifyPassword } from '../auth/password.ts';
import type { WriterClient } from '../database/client.ts';
import type { Reader } from '../database/operation.ts';
import { ADMINISTRATOR_DN } from '../directory/caller.ts';
import { findEntry } from '../directory/entries.ts';
import { adminPasswordPath } from './paths.ts';

/** Takes the copy away when the password is changed, also when we died between the change and that. */
export function watchAdminPassword(data: string, reader: Reader, writer: WriterClient): void {
  const path = adminPasswordPath(data);
  writer.onNotification((notification) => {
    if (notification.kind === 'administrator') rmSync(path, { force: true });
  });
  let copy: Buffer;
  try {
    copy = readFileSync(path);
  } catch {
    return;
  }
  const stored = findEntry(reader, ADMINISTRATOR_DN)?.attributes.get('userpassword')?.values ?? [];
  verifyPassword(stored, copy, new HashGate()).then(
    (matches) => {
      if (!matches) rmSync(path, { force: true });
    },
    () => {},
  );
}
