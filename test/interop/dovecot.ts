// A Dovecot beside that takes mail by LMTP for everybody, into Maildirs.

import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { peerFolder, roomCommand, roomUser, unpacked } from './beside.ts';
import { BesideServer } from './beside-server.ts';

export const DOVECOT_PACKAGES = ['dovecot-core', 'dovecot-lmtpd'] as const;

const USERS = ['filer', 'dovecot', 'dovenull'];

export async function startDovecot(port: number): Promise<BesideServer> {
  const folder = peerFolder('dovecot');
  chmodSync(folder, 0o755);
  for (const name of ['run', 'state', 'log', 'mail']) mkdirSync(join(folder, name));
  const filer = roomUser({ users: USERS }, 'filer');
  chownSync(join(folder, 'mail'), filer, filer);
  const [core, lmtp] = DOVECOT_PACKAGES.map((name) => unpacked(name)) as [string, string];
  const libexec = join(folder, 'libexec');
  mkdirSync(libexec);
  const libraries = `${core}/usr/lib/dovecot`;
  // Its processes are looked for in one folder.
  const room = roomCommand(folder, { users: USERS, places: {} });
  const copy = `cp -a ${core}/usr/lib/dovecot/. ${lmtp}/usr/lib/dovecot/. ${libexec}/`;
  writeFileSync(join(folder, 'dovecot.conf'), settings(folder, port, filer, libraries));
  const run = `${copy} && exec env LD_LIBRARY_PATH=${libraries} ${core}/usr/sbin/dovecot -F -c ${folder}/dovecot.conf`;
  return BesideServer.start({ folder, command: [...room, 'sh', '-c', run], port });
}

function settings(folder: string, port: number, uid: number, libraries: string): string {
  return `base_dir = ${folder}/run
state_dir = ${folder}/state
libexec_dir = ${folder}/libexec
mail_plugin_dir = ${folder}/libexec/modules
login_plugin_dir = ${folder}/libexec/modules/login
import_environment = TZ LD_LIBRARY_PATH=${libraries}
log_path = ${folder}/log/dovecot.log
protocols = lmtp
listen = 127.0.0.1
ssl = no
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
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${port}
  }
}
service stats {
  client_limit = 1000
}
`;
}
