// What the server has after a restart, read the way users read it: over IMAP and LDAP.
//
// In      a running server, whose mailboxes
// Out     messages with id, flags and, where wanted, a hash of what was sent; the DNs of entries; a first answer
// Never   looks into the data directory

import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { AdminClient } from '../../src/cli/client.ts';
import { ImapClient } from '../../src/demo/clients/imap-client.ts';
import { LineConnection } from '../../src/demo/clients/line-connection.ts';
import { administrator, type Person, SUFFIX } from '../support/directory.ts';
import type { Endpoint, Waypost } from '../support/server.ts';
import { type FoundMessage, sha } from './ledger.ts';
import { ID_FIELD, recognize } from './message.ts';

/** Bodies are read from `bodiesFrom` on (a UID); of older messages the id alone, which is much less to read. */
export async function readMailbox(server: Waypost, person: Person, bodiesFrom: number): Promise<FoundMessage[]> {
  const imap = await ImapClient.login(server.listeners.imap, person.login, person.password);
  try {
    const { untagged } = await imap.command('EXAMINE INBOX');
    if (untagged.some(({ text }) => text === '0 EXISTS')) return [];
    const found: FoundMessage[] = [];
    const fetch = async (set: string, section: string): Promise<void> => {
      const answer = await imap.command(`UID FETCH ${set} (UID FLAGS BODY.PEEK[${section}])`);
      for (const { text, literals } of answer.untagged) {
        const uid = /^\d+ FETCH \(.*UID (\d+)/.exec(text)?.[1];
        if (uid === undefined) continue;
        const flags = /FLAGS \(([^)]*)\)/.exec(text)?.[1]?.split(' ') ?? [];
        const known = literals[0] === undefined ? undefined : recognize(literals[0]);
        const report = literals[0] === undefined ? undefined : reportIn(literals[0].toString('latin1'));
        const hash = section === '' && known !== undefined ? sha(known.sent) : undefined;
        found.push({ uid: Number(uid), id: known?.id, flags, sha: report === undefined ? hash : undefined, report });
      }
    };
    if (bodiesFrom > 1) await fetch(`1:${bodiesFrom - 1}`, `HEADER.FIELDS (${ID_FIELD})`);
    // `n:*` means the last message too when there is none from n on. RFC 3501 §6.4.8
    const before = found.length;
    await fetch(`${bodiesFrom}:*`, '');
    if (found.length === before + 1 && found[before]!.uid < bodiesFrom) found.pop();
    return found;
  } finally {
    imap.destroy();
  }
}

/** Of a report of ours: the recipients that it is about. */
export function reportIn(text: string): readonly string[] | undefined {
  if (!text.slice(0, text.indexOf('\r\n\r\n')).includes('multipart/report')) return undefined;
  return [...text.matchAll(/^Final-Recipient: rfc822; (.*)\r$/gm)].map(([, address]) => address!);
}

/** Recipients of the rows that are in the queue. */
export async function readQueue(server: Waypost): Promise<string[]> {
  const rows = await new AdminClient(server.data).call('queue.list', { limit: 10_000 });
  return rows.map(({ recipient }) => recipient);
}

/** DNs of all people, in lower case. */
export async function readEntries(server: Waypost): Promise<Set<string>> {
  const client = await administrator(server);
  try {
    const found = new Set<string>();
    const { searchEntries } = await client.search(SUFFIX, { scope: 'sub', filter: '(uid=*)', attributes: ['1.1'] });
    for (const { dn } of searchEntries) found.add(dn.toLowerCase());
    return found;
  } finally {
    await client.unbind();
  }
}

/** What `waypost mailbox check --bytes` finds, a sentence a problem. */
export async function illegalStates(server: Waypost): Promise<string[]> {
  const waypost = resolve(import.meta.dirname, '../../waypost');
  const checked = await new Promise<string>((done, failed) => {
    const args = ['mailbox', 'check', '--bytes', '--json', '--data', server.data];
    // Exit code 1 says that there are problems, which are then on standard output.
    execFile(waypost, args, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (stdout === '') failed(new Error(`mailbox check: ${error?.message}\n${stderr}`));
      else done(stdout);
    });
  });
  const problems = JSON.parse(checked) as { problem: string; where: string; detail?: string }[];
  return problems.map(({ problem, where, detail }) => `${problem} at ${where} ${detail ?? ''}`);
}

/** Until SMTP has greeted and answered a NOOP. */
export async function firstAnswer({ host, port }: Endpoint): Promise<void> {
  const connection = await LineConnection.open(host, port);
  await connection.line();
  connection.write('NOOP\r\n');
  await connection.line();
  connection.destroy();
}
