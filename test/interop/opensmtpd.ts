// An OpenSMTPD beside: takes mail of everybody, delivers one domain into a file, all else to one next hop.
// Its spool and its socket have fixed paths: the room puts folders of ours there.

import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { peerFolder, type Room, roomCommand, roomUser, unpacked } from './beside.ts';
import { BesideServer } from './beside-server.ts';
import type { PeerOptions } from './next-hop.ts';

export const OPENSMTPD_PACKAGE = 'opensmtpd';

const USERS = ['opensmtpd', 'opensmtpq', '_smtpd', '_smtpq', 'smtpd', 'smtpq', 'filer'];

export async function startOpenSmtpd(options: PeerOptions): Promise<BesideServer> {
  const folder = peerFolder('opensmtpd');
  chmodSync(folder, 0o755);
  for (const name of ['spool', 'lib', 'lib/opensmtpd', 'lib/opensmtpd/empty', 'mail']) {
    mkdirSync(join(folder, name));
    chmodSync(join(folder, name), 0o711);
  }
  const files = unpacked(OPENSMTPD_PACKAGE);
  const room: Room = {
    users: USERS,
    places: {
      '/var/spool': join(folder, 'spool'),
      '/var/lib': join(folder, 'lib'),
      '/usr/libexec': join(files, 'usr/libexec'),
    },
  };
  const filer = roomUser(room, 'filer');
  chownSync(join(folder, 'mail'), filer, filer);
  const configuration = join(folder, 'smtpd.conf');
  writeFileSync(configuration, settings(folder, options));
  const command = [...roomCommand(folder, room), join(files, 'usr/sbin/smtpd'), '-d', '-f', configuration];
  return BesideServer.start({ folder, command, port: options.port });
}

function settings(folder: string, { port, domain, next }: PeerOptions): string {
  return `listen on 127.0.0.1 port ${port} hostname mx.${domain}
smtp max-message-size 50M
table boxes { "@" = "filer" }
action "file" mda "cat >>${folder}/mail/all" virtual <boxes>
action "next" relay host "${next.protocol}://127.0.0.1:${next.port}"
match from any for domain "${domain}" action "file"
match from any for any action "next"
`;
}
