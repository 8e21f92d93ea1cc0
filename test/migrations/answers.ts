// What a store answers, as a text that two programs can be compared by.
//
// In      a running server on a copy of the store, and which accounts and addresses to ask for
// Out     one text a door: IMAP, POP3, LDAP, DNS, and the commands `route` and `trace`
// Never   changes anything: EXAMINE and BODY.PEEK, no DELE; events of a trace after `before` are left out

import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { request } from 'node:http';
import { join } from 'node:path';
import dnsPacket, { type DecodedPacket, type RecordType } from 'dns-packet';
import { ImapClient, type Tagged } from '../../src/demo/clients/imap-client.ts';
import { LineConnection } from '../../src/demo/clients/line-connection.ts';
import { administrator } from '../support/directory.ts';
import type { Endpoint, Waypost } from '../support/server.ts';

export interface Account {
  readonly login: string;
  /** The INBOX too: nothing is delivered into it any more when a server starts. */
  readonly hasSettledInbox: boolean;
}

export interface Questions {
  readonly password: string;
  readonly accounts: readonly Account[];
  readonly routes: readonly string[];
  readonly traces: readonly string[];
  readonly searches: readonly { readonly base: string; readonly scope: 'base' | 'sub'; readonly filter: string }[];
  readonly names: readonly (readonly [name: string, type: RecordType])[];
  /** ISO 8601: what a server does with its queue when it starts is no answer of the store. */
  readonly before: string;
}

export type Answers = Readonly<Record<'imap' | 'pop3' | 'ldap' | 'dns' | 'route' | 'trace', string>>;

export async function answers(server: Waypost, questions: Questions): Promise<Answers> {
  const imap: string[] = [];
  const pop3: string[] = [];
  for (const account of questions.accounts) {
    const { login, hasSettledInbox } = account;
    imap.push(...(await imapAnswers(server.listeners.imap, account, questions.password)));
    if (hasSettledInbox) pop3.push(...(await pop3Answers(server.listeners.pop3, login, questions.password)));
  }
  return {
    imap: text(imap),
    pop3: text(pop3),
    ldap: text(await ldapAnswers(server, questions.searches)),
    dns: text(await dnsAnswers(server.listeners.dns, questions.names)),
    route: text(await commandAnswers(server, 'route', questions.routes)),
    trace: text(await traceAnswers(server, questions)),
  };
}

/** Entries of `ldap` that a start of today's program makes, and an older one did not. */
const MADE_AT_START =
  /^dn: (?:[^,\n]*,)?ou=(?:Rules|Channels|Hosts|Sources|Programs|Keys|Pending|Policies|Tombstones),ou=Waypost,o=internet\n(?: {2}.*\n)*|^dn: cn=(?:Site Administrators|Schema),ou=Waypost,o=internet\n(?: {2}.*\n)*/gm;

export function withoutMadeAtStart(ldap: string): string {
  return ldap.replace(MADE_AT_START, '');
}

/** What a program offers at the root DSE, and what today's computes where an older one gave nothing: no answers of the store. */
const OFFERED =
  /^ {2}(?:supported(?:Control|Extension|Features|SASLMechanisms)|dnsHostName|entryCSN|contextCSN|memberOf): .*\n/gm;

export function withoutOffers(ldap: string): string {
  return ldap.replace(OFFERED, '');
}

/** What today's program says of a mailbox more than an older one: no answers of the store. */
const SAID_AT_SELECT = /^OK \[(?:HIGHESTMODSEQ|MAILBOXID|URLMECH|CLOSED)[^\n]*\n/gm;

export function withoutSaidAtSelect(imap: string): string {
  return imap.replace(SAID_AT_SELECT, '');
}

/** The mark of the topmost domains, and the default access rules, which stand on the suffix. */
const GIVEN_AT_START = /^ {2}(?:waypostApex: "TRUE"|aci: .*)\n/gm;
const BY_WHOM_AND_WHEN = /^ {2}(?:modifiersName|modifyTimestamp): .*\n/gm;

/** Both without what a start writes at entries that were there, and without what says when it came. */
export function withoutGivenAtStart(said: string, expected: string): readonly [string, string] {
  const marked = new Set<string>();
  const rest = said.replace(ENTRY, (entry, dn: string) => {
    const before = entry.replace(GIVEN_AT_START, '');
    if (before === entry) return entry;
    marked.add(dn);
    return before.replace(BY_WHOM_AND_WHEN, '');
  });
  return [
    rest,
    expected.replace(ENTRY, (entry, dn: string) => (marked.has(dn) ? entry.replace(BY_WHOM_AND_WHEN, '') : entry)),
  ];
}
const ENTRY = /^dn: (.*)\n(?: {2}.*\n)*/gm;

const text = (lines: readonly string[]): string => `${lines.join('\n')}\n`;

/** One character an octet, everything but printable ASCII escaped. */
function printable(octets: string): string {
  return octets.replace(/[^ -~]/g, (octet) => `\\x${octet.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

async function imapAnswers(endpoint: Endpoint, { login, hasSettledInbox }: Account, password: string) {
  const client = await ImapClient.login(endpoint, login, password);
  const lines = [`# ${login}`];
  const ask = async (command: string): Promise<Tagged> => {
    const answer = await client.command(command);
    lines.push(`> ${command}`, ...answer.untagged.map(responseText));
    return answer;
  };
  const listed = await ask('LIST "" * RETURN (SPECIAL-USE)');
  await ask('LSUB "" *');
  for (const { text: line } of listed.untagged) {
    const name = /^LIST \([^)]*\) \S+ (.*)$/.exec(line)?.[1];
    if (name === undefined || line.includes('\\Noselect') || (name === 'INBOX' && !hasSettledInbox)) continue;
    await ask(`STATUS ${name} (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)`);
    await ask(`EXAMINE ${name}`);
    await ask('UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE)');
    for (const { literals, text: start } of (await client.command('UID FETCH 1:* (UID BODY.PEEK[])')).untagged)
      if (literals[0] !== undefined)
        lines.push(`${start.split(' BODY')[0]}) sha256 ${createHash('sha256').update(literals[0]).digest('hex')}`);
    for (const key of SEARCHES) await ask(`UID SEARCH ${key}`);
  }
  await client.logout();
  return lines;
}

const SEARCHES = [
  'FROM "joe"',
  'TO "team"',
  'SUBJECT "caf"',
  'SUBJECT "quoted"',
  'HEADER Message-ID "fixture"',
  'KEYWORD $Work',
  'UNKEYWORD $Work',
  'FLAGGED',
  'DELETED',
  'LARGER 1000',
  'TEXT "inner"',
];

function responseText({ text: line, literals }: Tagged['untagged'][number]): string {
  let n = 0;
  return printable(line).replace(/\{\d+\}/g, (literal) =>
    literals[n] === undefined ? literal : `${literal}<${printable(literals[n++]!.toString('latin1'))}>`,
  );
}

async function pop3Answers({ host, port }: Endpoint, login: string, password: string): Promise<string[]> {
  const connection = await LineConnection.open(host, port);
  await connection.line();
  const lines = [`# ${login}`];
  for (const command of [`USER ${login}`, `PASS ${password}`]) {
    connection.write(`${command}\r\n`);
    await connection.line();
  }
  for (const command of ['STAT', 'LIST', 'UIDL']) {
    connection.write(`${command}\r\n`);
    lines.push(`> ${command}`, await connection.line());
    if (command === 'STAT') continue;
    for (let line = await connection.line(); line !== '.'; line = await connection.line()) lines.push(line);
  }
  connection.write('QUIT\r\n');
  await connection.untilClosed();
  return lines;
}

async function ldapAnswers(server: Waypost, searches: Questions['searches']): Promise<string[]> {
  const client = await administrator(server);
  const lines: string[] = [];
  try {
    for (const { base, scope, filter } of searches) {
      lines.push(`# ${scope} ${JSON.stringify(base)} ${filter}`);
      const { searchEntries } = await client.search(base, {
        scope,
        filter,
        attributes: ['*', '+'],
        explicitBufferAttributes: [],
      });
      const entries = searchEntries.map(({ dn, ...attributes }) => ({ dn, attributes }));
      entries.sort((a, b) => (a.dn.toLowerCase() < b.dn.toLowerCase() ? -1 : 1));
      for (const { dn, attributes } of entries) {
        lines.push(`dn: ${dn}`);
        for (const name of Object.keys(attributes).sort())
          for (const value of [attributes[name]!].flat()) lines.push(`  ${name}: ${JSON.stringify(String(value))}`);
      }
    }
  } finally {
    await client.unbind();
  }
  return lines;
}

async function dnsAnswers({ host, port }: Endpoint, names: Questions['names']): Promise<string[]> {
  const socket = createSocket('udp4');
  const lines: string[] = [];
  try {
    for (const [name, type] of names) {
      socket.send(dnsPacket.encode({ type: 'query', id: 1, questions: [{ type, name }] }), port, host);
      const [octets] = (await once(socket, 'message')) as [Buffer];
      const { rcode, answers: found, authorities } = dnsPacket.decode(octets) as DecodedPacket & { rcode: string };
      lines.push(
        `# ${name} ${type}`,
        rcode,
        ...[...(found ?? []), ...(authorities ?? [])].map((r) => JSON.stringify(r)),
      );
    }
  } finally {
    socket.close();
  }
  return lines;
}

/** What `waypost route ADDRESS --json` prints, and `trace`: asked at the socket, where a command costs no process. */
async function commandAnswers(server: Waypost, name: 'route' | 'trace', values: readonly string[]): Promise<string[]> {
  const lines: string[] = [];
  for (const value of values) {
    const input = name === 'route' ? { address: value } : { what: value };
    const { result } = JSON.parse(await post(server.data, `/admin/${name}`, JSON.stringify(input))) as {
      result?: object | object[];
    };
    lines.push(`# ${name} ${value}`, ...[result ?? []].flat().map((object) => JSON.stringify(object)));
  }
  return lines;
}

function post(data: string, path: string, body: string): Promise<string> {
  return new Promise((found, failed) => {
    const headers = { 'Content-Type': 'application/json' };
    const asked = request(
      { socketPath: join(data, 'run', 'admin.sock'), path, method: 'POST', headers },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (more: string) => {
          text += more;
        });
        response.on('end', () => found(text));
      },
    );
    asked.on('error', failed);
    asked.end(body);
  });
}

async function traceAnswers(server: Waypost, questions: Questions): Promise<string[]> {
  const lines: string[] = [];
  for (const line of await commandAnswers(server, 'trace', questions.traces))
    if (line.startsWith('#') || (JSON.parse(line) as { at: string }).at <= questions.before) lines.push(line);
  return lines;
}
