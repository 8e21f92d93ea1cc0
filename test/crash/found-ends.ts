// Looks for the end of everything that was sent, in all places where there may be one.
//
// In      a server that has come to rest, another host's messages, what a program has written, the mailboxes as they were read
// Out     what was found, told to the ledger of ends; sentences on what is there and is not as it should be

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RemoteHost } from '../../src/estate/remote-host.ts';
import type { RemoteMessage } from '../../src/estate/remote-script.ts';
import type { Waypost } from '../support/server.ts';
import type { Ends } from './ends.ts';
import { type FoundMessage, type Ledger, sha } from './ledger.ts';
import { ID_FIELD, recognize } from './message.ts';
import { readQueue, reportIn } from './read-back.ts';
import { answerTo, DOMAIN, MAILDIR, MBOX } from './ways.ts';

export interface Places {
  readonly server: Waypost;
  readonly sink: RemoteHost;
  /** Of the program; without one nothing was given to any. */
  readonly programLog: string;
  /** By login. */
  readonly mailboxes: ReadonlyMap<string, readonly FoundMessage[]>;
}

export async function findEnds(ledger: Ledger, ends: Ends, places: Places): Promise<void> {
  const { server, sink, programLog, mailboxes } = places;
  for (const message of sink.messages) findRemote(ledger, ends, message);
  for (const [login, found] of mailboxes)
    for (const { id, report } of found) {
      if (id === undefined) continue;
      if (report !== undefined) for (const place of report) ends.found({ end: 'report', id, place });
      else if (ledger.messages.get(id)?.kind === 'out') ends.found({ end: 'mailbox', id, place: login });
    }
  for (const recipient of await readQueue(server)) {
    const id = /^(?:later-|held\+)(m\d+)@/.exec(recipient)?.[1];
    ends.found({ end: 'queue', id: id ?? 'a message', place: recipient });
  }
  if (existsSync(programLog))
    for (const line of readFileSync(programLog, 'latin1').split(/\r?\n/).filter(Boolean))
      ends.found({
        end: 'program',
        id: line.replace(`${ID_FIELD}: `, ''),
        place: 'program log',
        taken: { by: 'program', copy: '' },
      });
  findInFiles(ledger, ends, join(server.data, 'files', DOMAIN));
}

function findRemote(ledger: Ledger, ends: Ends, { data, sender, recipients, connection }: RemoteMessage): void {
  const head = data.slice(0, data.indexOf('\r\n\r\n'));
  const taken = { by: 'remote', copy: /^Message-ID: (.*)\r?$/im.exec(head)?.[1] ?? '', over: connection } as const;
  const report = reportIn(data);
  const [recipient = ''] = recipients;
  const known = recognize(Buffer.from(data, 'latin1'))?.id ?? 'a message without an id';
  const of = /^carol-(m\d+)@/.exec(recipient)?.[1] ?? known;
  if (report !== undefined) for (const place of report) ends.found({ end: 'report', id: of, place, taken });
  else if (/^Auto-Submitted: auto-replied/im.test(head))
    ends.found({ end: 'remote', id: of, place: answerTo(recipient), taken });
  else {
    for (const place of recipients) ends.found({ end: 'remote', id: known, place, taken });
    if (
      recipient === 'every@remote.example' &&
      !(sender.startsWith('SRS0=') && head.startsWith('Delivered-To: every@'))
    )
      ledger.problem('corrupt', `${known} was sent on by ${sender}, beginning ${head.slice(0, 60)}`);
  }
}

/** Lines of both end in LF; an mbox has a line before each message, and an empty one behind it. */
function findInFiles(ledger: Ledger, ends: Ends, folder: string): void {
  const find = (place: string, octets: string): void => {
    const known = recognize(Buffer.from(octets.replaceAll('\n', '\r\n'), 'latin1'));
    const id = known?.id ?? 'a message without an id';
    ends.found({ end: 'file', id, place });
    if (known === undefined || sha(known.sent) !== ledger.messages.get(id)?.sha)
      ledger.problem('corrupt', `${id} in ${place} is not what was sent`);
  };
  const mbox = join(folder, MBOX);
  if (existsSync(mbox))
    for (const each of readFileSync(mbox, 'latin1')
      .split(/^From .*\n/m)
      .slice(1))
      find(`file ${MBOX}`, each.slice(0, -1));
  const maildir = join(folder, MAILDIR, 'new');
  if (existsSync(maildir))
    for (const name of readdirSync(maildir)) find(`file ${MAILDIR}`, readFileSync(join(maildir, name), 'latin1'));
}
