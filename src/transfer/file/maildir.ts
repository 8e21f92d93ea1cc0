// A message in a Maildir, under a name that is the queue row's: who comes twice finds it there.
//
// In      the directory; the name; the message as pieces of text
// Out     the message in `new`, synced, unless it is there already, or in `cur`, where a reader has moved it
// Order   tmp/NAME -> synced -> linked as new/NAME -> synced

import { type FileHandle, link, opendir } from 'node:fs/promises';
import { isCode, openAnew, openOne, pathIn, removed } from './below.ts';

/** Flags follow it. */
const FLAGS = ':';

/** `mayBeRead`: an attempt before may have put it there. */
export async function putInMaildir(
  maildir: FileHandle,
  name: string,
  { text, mayBeRead }: { readonly text: AsyncIterable<Buffer>; readonly mayBeRead: boolean },
): Promise<void> {
  const directories: FileHandle[] = [];
  try {
    for (const own of ['tmp', 'new', 'cur']) directories.push(await openOne(maildir, own));
    const [tmp, fresh, cur] = directories as [FileHandle, FileHandle, FileHandle];
    if (mayBeRead && (await holds(cur, name))) return;
    const written = pathIn(tmp, name);
    await write(written, text);
    try {
      await link(written, pathIn(fresh, name));
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error;
    }
    await fresh.sync();
    await removed(written);
  } finally {
    for (const directory of directories) await directory.close();
  }
}

async function write(path: string, text: AsyncIterable<Buffer>): Promise<void> {
  const file = await openAnew(path);
  try {
    for await (const piece of text) await file.writeFile(piece);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function holds(directory: FileHandle, name: string): Promise<boolean> {
  for await (const { name: found } of await opendir(pathIn(directory, '.')))
    if (found === name || found.startsWith(`${name}${FLAGS}`)) return true;
  return false;
}
