// Foreign mail servers that cannot be installed beside each other: their packages are unpacked into a folder, and run in a room
// of their own, where the paths that are compiled into them lead there.
//
// In      Debian packages by name; what the room needs: users, folders in other places
// Out     their files, a command that runs in such a room
// Never   installs anything; changes a file outside its folders
// Needs   root (a mount namespace), apt-get for the first time

import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Root's alone: what lies there is run as root. */
const CACHE = '/var/cache/waypost-peers';

/** False, or why no room can be made. */
export function roomMissing(): string | false {
  const reason = whyNoRoom();
  if (reason !== false && process.env['CI'] === 'true') throw new Error(`CI=true: ${reason}`);
  return reason;
}

function whyNoRoom(): string | false {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'peers beside need Linux and root';
  const made = spawnSync('unshare', ['-m', 'true'], { encoding: 'utf8' });
  return made.status === 0 ? false : `no mount namespace here: ${made.stderr}`;
}

/** False, or why these packages are not here; fetched where they are not. */
export function besideMissing(...names: readonly string[]): string | false {
  const room = roomMissing();
  if (room !== false) return room;
  for (const name of names) {
    try {
      unpacked(name);
    } catch (error) {
      const reason = `the package ${name} cannot be fetched: ${String(error).split('\n')[0]}`;
      if (process.env['CI'] === 'true') throw new Error(`CI=true: ${reason}`);
      return reason;
    }
  }
  return false;
}

/** The folder with the files of a package. */
export function unpacked(name: string): string {
  const folder = join(CACHE, name);
  if (existsSync(folder)) return folder;
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(CACHE, '.new-'));
  try {
    execFileSync('apt-get', ['download', '-qq', name], { cwd: work, stdio: 'pipe' });
    const [archive] = readdirSync(work);
    execFileSync('dpkg', ['-x', join(work, archive!), join(work, 'files')], { stdio: 'pipe' });
    renameSync(join(work, 'files'), folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}

export interface Room {
  /** Users and groups of the same name, with no other; their number is made up. */
  readonly users: readonly string[];
  /** What stands at a path in the room: a folder of ours. The path must be there outside, too, or below /run. */
  readonly places: Readonly<Record<string, string>>;
}

const FIRST_USER = 6000;

/** `folder` is the caller's, and holds what the room needs. Gives what is to be put before a command. */
export function roomCommand(folder: string, { users, places }: Room): string[] {
  const passwd = users.map(
    (name, at) => `${name}:x:${FIRST_USER + at}:${FIRST_USER + at}::${join(folder, 'mail')}:/bin/sh\n`,
  );
  const group = users.map((name, at) => `${name}:x:${FIRST_USER + at}:\n`);
  writeFileSync(join(folder, 'passwd'), readFileSync('/etc/passwd', 'utf8') + passwd.join(''));
  writeFileSync(join(folder, 'group'), readFileSync('/etc/group', 'utf8') + group.join(''));
  const binds = Object.entries({
    '/etc/passwd': join(folder, 'passwd'),
    '/etc/group': join(folder, 'group'),
    ...places,
  });
  const script = [
    'set -e',
    'mount -t tmpfs -o mode=755 none /run',
    // A folder that the machine does not have is made in a layer that only this room sees.
    ...binds.map(([at, from]) => `mount --bind '${from}' '${at}'`),
    'exec "$@"',
  ].join('\n');
  return ['unshare', '-m', '--propagation', 'private', 'sh', '-c', script, 'room'];
}

/** The number of a user of a room. */
export function roomUser({ users }: Pick<Room, 'users'>, name: string): number {
  return FIRST_USER + users.indexOf(name);
}

export function peerFolder(name: string): string {
  return mkdtempSync(join(tmpdir(), `waypost-${name}-`));
}
