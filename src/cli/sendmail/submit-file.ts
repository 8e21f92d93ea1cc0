// A file of the submit folder, as a local program writes it: the server takes it when it runs.
//
// In      bytes in the text form of a queued message
// Out     a file under its name only when it is whole and synced
// Errors  Failure: `denied`, `full`, `unavailable` where there is no such folder, or the disk fails
// The name has 128 random bits: in a folder where everybody may write and nobody may list, nobody finds another's mail.

import { randomBytes } from 'node:crypto';
import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../../base/failure.ts';

/** `write` puts the bytes; where it fails there is no file. Gives the file's name. */
export async function submitFile(
  folder: string,
  write: (put: (bytes: Buffer) => void) => Promise<void>,
): Promise<string> {
  const name = randomBytes(16).toString('hex');
  const draft = join(folder, `.${name}`);
  const descriptor = attempt(folder, () => openSync(draft, 'wx', 0o644));
  try {
    // Whatever the umask: the server need not be root.
    fchmodSync(descriptor, 0o644);
    await write((bytes) => {
      for (let at = 0; at < bytes.length; )
        at += attempt(folder, () => writeSync(descriptor, bytes, at, bytes.length - at));
    });
    attempt(folder, () => {
      fsyncSync(descriptor);
      renameSync(draft, join(folder, name));
      // The new name, too; the folder itself may be one that we cannot open.
      fsyncSync(descriptor);
      syncFolder(folder);
    });
    return name;
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

function syncFolder(folder: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(folder, 'r');
  } catch {
    return;
  }
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function attempt<T>(folder: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EACCES' || code === 'EPERM')
      throw new Failure('denied', `${folder} may not be written by this user: submit.folder names one for all users`);
    if (code === 'ENOSPC' || code === 'EDQUOT') throw new Failure('full', `no space left in ${folder}`);
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new Failure('unavailable', `there is no folder ${folder}: start \`waypost serve\` once, it makes it`);
    if (typeof code === 'string')
      throw new Failure('unavailable', `${folder} cannot be written (${code}), try again later`);
    throw error;
  }
}
