// Whom a program runs as: a user of this machine, by name or number.
//
// Out     its uid and gid; or why it cannot be, in words: nobody of that name, uid 0, or one that this process cannot become
// Never   runs anything as root, nor as the server's own user unless that is the one that is named

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const LOOK_UP_MS = 10_000;

export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** The server's: nothing has to be become. */
  readonly isOwn: boolean;
}

export async function identityOf(user: string): Promise<Identity | { readonly problem: string }> {
  const found = await passwdLine(user);
  if (found === undefined) return { problem: `there is no user ${user} on this machine` };
  const [, , uidText = '', gidText = ''] = found.split(':');
  const uid = Number(uidText);
  const gid = Number(gidText);
  if (uidText === '' || gidText === '' || !Number.isInteger(uid) || !Number.isInteger(gid))
    return { problem: `the user ${user} has no number` };
  const own = process.getuid?.();
  if (uid === 0) return { problem: 'a program does not run as root' };
  if (own !== 0 && uid !== own) return { problem: `the server cannot become ${user}` };
  return { uid, gid, isOwn: uid === own };
}

/** As the machine's own sources of names have it, not only its file. */
async function passwdLine(user: string): Promise<string | undefined> {
  try {
    const { stdout } = await run('getent', ['--', 'passwd', user], { timeout: LOOK_UP_MS, cwd: '/' });
    return stdout.split('\n')[0];
  } catch (error) {
    // getent(1): 2, there is none of this name.
    if (error instanceof Error && 'code' in error && error.code === 2) return undefined;
    throw error;
  }
}
