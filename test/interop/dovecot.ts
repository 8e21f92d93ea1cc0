// A Dovecot beside, with Maildirs for everybody: it takes mail by LMTP, or serves IMAP to any name and password.

import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { peerFolder, roomCommand, roomUser, unpacked } from './beside.ts';
import { BesideServer } from './beside-server.ts';

export const DOVECOT_PACKAGES = ['dovecot-core', 'dovecot-lmtpd'] as const;
export const DOVECOT_IMAP_PACKAGES = ['dovecot-core', 'dovecot-imapd'] as const;

const USERS = ['filer', 'dovecot', 'dovenull'];

export async function startDovecot(port: number, door: 'lmtp' | 'imap' = 'lmtp'): Promise<BesideServer> {
  const folder = peerFolder('dovecot');
  chmodSync(folder, 0o755);
  for (const name of ['run', 'state', 'log', 'mail']) mkdirSync(join(folder, name));
  const filer = roomUser({ users: USERS }, 'filer');
  chownSync(join(folder, 'mail'), filer, filer);
  const packages = door === 'lmtp' ? DOVECOT_PACKAGES : DOVECOT_IMAP_PACKAGES;
  const [core, served] = packages.map((name) => unpacked(name)) as [string, string];
  const libexec = join(folder, 'libexec');
  mkdirSync(libexec);
  const libraries = `${core}/usr/lib/dovecot`;
  // Its processes are looked for in one folder.
  const room = roomCommand(folder, { users: USERS, places: {} });
  const copy = `cp -a ${core}/usr/lib/dovecot/. ${served}/usr/lib/dovecot/. ${libexec}/`;
  writeFileSync(join(folder, 'dovecot.conf'), settings({ folder, port, uid: filer, libraries, door }));
  const run = `${copy} && exec env LD_LIBRARY_PATH=${libraries} ${core}/usr/sbin/dovecot -F -c ${folder}/dovecot.conf`;
  return BesideServer.start({ folder, command: [...room, 'sh', '-c', run], port });
}

interface Settings {
  readonly folder: string;
  readonly port: number;
  readonly uid: number;
  readonly libraries: string;
  readonly door: 'lmtp' | 'imap';
}

function settings({ folder, port, uid, libraries, door }: Settings): string {
  return `base_dir = ${folder}/run
state_dir = ${folder}/state
libexec_dir = ${folder}/libexec
mail_plugin_dir = ${folder}/libexec/modules
login_plugin_dir = ${folder}/libexec/modules/login
import_environment = TZ LD_LIBRARY_PATH=${libraries}
log_path = ${folder}/log/dovecot.log
protocols = ${door}
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
postmaster_address = postmaster@dovecot.example
mail_location = maildir:${folder}/mail/%u
first_valid_uid = ${uid}
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=${uid} gid=${uid} home=${folder}/mail/%u allow_all_users=yes
}
service ${door === 'imap' ? 'imap-login' : 'lmtp'} {
  inet_listener ${door} {
    address = 127.0.0.1
    port = ${port}
  }${door === 'imap' ? '\n  chroot =' : ''}
}
service stats {
  client_limit = 1000
}
`;
}
