// Directories below the folder of files, opened one by one: no step of the way is a symbolic link.
//
// In      a directory that is open; names in it
// Out     the directory below it, made where there is none (mode 0700), its making synced
// Errors  those of open(2): ELOOP and ENOTDIR where something else is in the way

import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;

/** Of a name in an open directory: Linux goes by the descriptor, wherever its path leads by now. */
export function pathIn(directory: Pick<FileHandle, 'fd'>, name: string): string {
  return `/proc/self/fd/${directory.fd}/${name}`;
}

/** The folder itself may be a link, or below one: an administrator has named it. */
export async function openFolder(path: string): Promise<FileHandle> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first !== undefined)
    for (let made = path; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made));
  return open(path, DIRECTORY);
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Closes `from`, whatever happens. */
export async function openBelow(from: FileHandle, names: readonly string[]): Promise<FileHandle> {
  let directory = from;
  for (const name of names) {
    const outer = directory;
    try {
      directory = await openOne(outer, name);
    } finally {
      await outer.close();
    }
  }
  return directory;
}

export async function openOne(directory: FileHandle, name: string): Promise<FileHandle> {
  const path = pathIn(directory, name);
  try {
    await mkdir(path, { mode: 0o700 });
    await directory.sync();
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error;
  }
  return open(path, DIRECTORY | constants.O_NOFOLLOW);
}

/** A file that is not there yet; what an earlier run has left of it goes. */
export async function openAnew(path: string): Promise<FileHandle> {
  await removed(path);
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  return open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
}

export async function removed(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error;
  }
}

export function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
