// SORT and THREAD of random mailboxes give what Dovecot gives of the same messages.
//
// In short a few mailboxes, with INTEROP=long many. RFC 5256 §3; REFS has no RFC but Dovecot's
// Where two threads of REFS are of one second Dovecot's order depends on its index: their messages have different dates here

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { LineConnection } from '../../src/demo/clients/line-connection.ts';
import { openTestImap, type TestImap } from '../../src/protocols/imap/testing.ts';
import { freePort } from '../support/free-ports.ts';
import { besideMissing } from './beside.ts';
import type { BesideServer } from './beside-server.ts';
import { DOVECOT_IMAP_PACKAGES, startDovecot } from './dovecot.ts';

const RUNS = process.env['INTEROP'] === 'long' ? 400 : 25;

class Client {
  readonly #connection: LineConnection;
  #tag = 0;

  private constructor(connection: LineConnection) {
    this.#connection = connection;
  }

  static async login(host: string, port: number): Promise<Client> {
    const client = new Client(await LineConnection.open(host, port));
    await client.#connection.line();
    await client.command('LOGIN ann secret');
    return client;
  }

  /** The untagged responses. */
  async command(text: string): Promise<string[]> {
    const tag = `t${++this.#tag}`;
    this.#connection.write(`${tag} ${text}\r\n`);
    const lines: string[] = [];
    for (;;) {
      const line = await this.#connection.line();
      if (!line.startsWith(`${tag} `)) lines.push(line);
      else if (line.startsWith(`${tag} OK`)) return lines;
      else throw new Error(`${text}: ${line}`);
    }
  }

  close(): void {
    this.#connection.destroy();
  }
}

const id = fc.constantFrom(...'abcdefgh', '"i"').map((name) => `<${name}@x.example>`);
const subject = fc.tuple(
  fc.constantFrom('', 're: ', 'Fwd: ', '[l] ', 'Re: [l] ', '[fwd: '),
  fc.constantFrom('', 'x', 'X', 'y z', '=?utf-8?q?=C3=A4?=', 'x (fwd)', ']'),
);
const message = fc.record({
  id: fc.option(id, { nil: undefined, freq: 8 }),
  references: fc.array(id, { maxLength: 4 }),
  inReplyTo: fc.option(id, { nil: undefined }),
  subject: subject.map((parts) => parts.join('')),
  from: fc.constantFrom(
    'b@x.example',
    'A@x.example',
    '"N" <c@x.example>',
    '=?utf-8?q?=C3=A4?= <d@x.example>',
    'Z <a@x.example>',
  ),
  to: fc.constantFrom(undefined, 'x@x.example', 'list: a@x.example;', '"" <y@x.example>'),
  hasDate: fc.boolean(),
  lines: fc.nat(3),
});
const mailbox = fc.array(message, { minLength: 1, maxLength: 12 });
/** Minutes of the Date fields, each once. */
const minutes = fc.shuffledSubarray(
  Array.from({ length: 12 }, (_, i) => 10 + i),
  { minLength: 12 },
);

const COMMANDS = [
  'THREAD REFERENCES UTF-8 ALL',
  'THREAD REFERENCES UTF-8 NOT 1',
  'THREAD ORDEREDSUBJECT UTF-8 ALL',
  'THREAD REFS UTF-8 ALL',
  'SORT (SUBJECT) UTF-8 ALL',
  'SORT (REVERSE DATE FROM) UTF-8 ALL',
  'SORT (DISPLAYFROM REVERSE SUBJECT) UTF-8 ALL',
  'SORT (DISPLAYTO SIZE) UTF-8 ALL',
  'SORT (REVERSE TO ARRIVAL) UTF-8 ALL',
];

describe('order', { skip: besideMissing(...DOVECOT_IMAP_PACKAGES) }, () => {
  let dovecot: BesideServer;
  let imap: TestImap;
  before(async () => {
    dovecot = await startDovecot(await freePort(), 'imap');
    imap = await openTestImap();
    await imap.addAccount('ann', 'secret');
  });
  after(async () => {
    await imap?.close();
    await dovecot?.stop();
  });

  test('random mailboxes are sorted and threaded as Dovecot does it', { timeout: 1_200_000 }, async () => {
    const clients = [await Client.login(imap.host, imap.port), await Client.login('127.0.0.1', dovecot.port)] as const;
    let made = 0;
    const answers = async (client: Client, name: string, texts: readonly string[]): Promise<string[]> => {
      await client.command(`CREATE ${name}`);
      for (const [i, text] of texts.entries())
        await client.command(`APPEND ${name} " 2-Feb-2026 12:${59 - i}:00 +0000" {${text.length}+}\r\n${text}`);
      await client.command(`SELECT ${name}`);
      const found: string[] = [];
      for (const command of COMMANDS) {
        const lines = await client.command(command);
        found.push(`${command}: ${lines.find((line) => /^\* (SORT|THREAD)/.test(line))?.trimEnd()}`);
      }
      return found;
    };
    await fc.assert(
      fc.asyncProperty(mailbox, minutes, async (messages, dates) => {
        const name = `box${++made}`;
        const texts = messages.map((one, i) =>
          [
            ...(one.id === undefined ? [] : [`Message-ID: ${one.id}`]),
            ...(one.references.length === 0 ? [] : [`References: ${one.references.join(' ')}`]),
            ...(one.inReplyTo === undefined ? [] : [`In-Reply-To: mail ${one.inReplyTo} of today`]),
            ...(one.hasDate ? [`Date: Mon, 2 Feb 2026 10:${dates[i]}:00 +0000`] : []),
            ...(one.to === undefined ? [] : [`To: ${one.to}`]),
            `Subject: ${one.subject}`,
            `From: ${one.from}`,
            '',
            'x\r\n'.repeat(one.lines),
          ].join('\r\n'),
        );
        const [ours, theirs] = await Promise.all(clients.map((client) => answers(client, name, texts)));
        assert.deepEqual(ours, theirs, texts.join('\r\n---\r\n'));
      }),
      { numRuns: RUNS },
    );
    for (const client of clients) client.close();
  });
});
