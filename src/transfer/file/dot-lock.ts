// The lock of an mbox file that mail programs agree on: a file `NAME.lock` beside it.
//
// Out     a function that gives it back; undefined: somebody else has had it all the time
// States  free -> ours -> free. One that this server has left behind in an earlier run is taken at once, any other after STALE_MS
// Limits  WAIT_MS
// Order   written whole under another name, then linked: a kill leaves no lock that does not say whose it is

import { constants, unlinkSync } from 'node:fs';
import { type FileHandle, link, open } from 'node:fs/promises';
import { isCode, openAnew, pathIn, removed } from './below.ts';

const WAIT_MS = 30_000;
const STALE_MS = 300_000;
const LOOK_MS = 100;
const READ_BYTES = 200;

export interface LockOwner {
  /** This server: its host and its data. One word. */
  readonly server: string;
  /** This run of it. One word. */
  readonly run: string;
  /** Wall clock, that of the files. */
  readonly now: () => number;
}

export async function lockFile(
  directory: FileHandle,
  name: string,
  owner: LockOwner,
  signal: AbortSignal,
): Promise<(() => void) | undefined> {
  const lock = pathIn(directory, `${name}.lock`);
  const own = pathIn(directory, `.${name}.lock`);
  const file = await openAnew(own);
  try {
    await file.writeFile(`${process.pid}\nwaypost ${owner.server} ${owner.run}\n`);
    await file.close();
    for (let waited = 0; ; waited += LOOK_MS) {
      if (await isLinked(own, lock)) return () => unlinkSync(lock);
      if (await isLeft(lock, owner)) await removed(lock);
      else if (waited >= WAIT_MS || signal.aborted) return undefined;
      else await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  } finally {
    await removed(own);
  }
}

async function isLinked(own: string, lock: string): Promise<boolean> {
  try {
    await link(own, lock);
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  }
}

/** Nobody holds it any more. */
async function isLeft(lock: string, { server, run, now }: LockOwner): Promise<boolean> {
  let file: FileHandle;
  try {
    file = await open(lock, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return false;
    throw error;
  }
  try {
    const { mtimeMs } = await file.stat();
    const { bytesRead, buffer } = await file.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, 0);
    const [, line = ''] = buffer.subarray(0, bytesRead).toString('latin1').split('\n');
    const [program, whose, when] = line.split(' ');
    return (program === 'waypost' && whose === server && when !== run) || now() - mtimeMs > STALE_MS;
  } finally {
    await file.close();
  }
}
