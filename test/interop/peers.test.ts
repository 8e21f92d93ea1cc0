// Waypost among the mail systems that people run: each of them hands mail on to us by LMTP and by SMTP, takes ours, and tells us
// what became of it. Short as it stands; INTEROP=long (`npm run interop`) asks more of each.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createTransport } from 'nodemailer';
import { ImapClient } from '../../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../../src/demo/clients/smtp-client.ts';
import { type Person, populate } from '../support/directory.ts';
import { freePorts } from '../support/free-ports.ts';
import { peer } from '../support/peers.ts';
import { Postfix } from '../support/postfix.ts';
import { startWaypost, type Waypost } from '../support/server.ts';
import { until } from '../support/until.ts';
import { besideMissing } from './beside.ts';
import { EXIM_PACKAGE, startExim } from './exim.ts';
import type { PeerOptions } from './next-hop.ts';
import { OPENSMTPD_PACKAGE, startOpenSmtpd } from './opensmtpd.ts';

const isLong = process.env['INTEROP'] === 'long';
/** Foreign servers beside other work take their time. */
const PATIENCE_MS = 120_000;

interface RunningPeer {
  delivered(): string;
  log(): string;
  stop(): void | Promise<void>;
}

interface System {
  readonly name: string;
  readonly skip: string | false;
  readonly start: (options: PeerOptions) => Promise<RunningPeer>;
}

const SYSTEMS: readonly System[] = [
  {
    name: 'postfix',
    skip: peer('postfix').skip,
    start: ({ port, domain, next }) =>
      Postfix.start(
        {
          virtual_mailbox_domains: domain,
          smtpd_relay_restrictions: 'permit_mynetworks, reject_unauth_destination',
          default_transport: `${next.protocol}:inet:[127.0.0.1]:${next.port}`.replace('smtp:inet:', 'smtp:'),
          smtputf8_enable: 'yes',
        },
        port,
      ),
  },
  { name: 'exim', skip: besideMissing(EXIM_PACKAGE), start: startExim },
  { name: 'opensmtpd', skip: besideMissing(OPENSMTPD_PACKAGE), start: startOpenSmtpd },
];

let server: Waypost;
let ann: Person;
let bob: Person;
const ports = new Map<string, number>();
before(async () => {
  const free = await freePorts(SYSTEMS.length);
  for (const [at, { name }] of SYSTEMS.entries()) ports.set(name, free[at]!);
  const hops = SYSTEMS.map(({ name }) => `"${name}.example" = "[127.0.0.1]:${ports.get(name)}"`);
  server = await startWaypost({ config: `[next-hop]\n${hops.join('\n')}\n[queue]\nretry = ["2s"]\n` });
  [ann, bob] = (await populate(server, 'acme.example', ['ann', 'bob'])) as [Person, Person];
});
after(() => server?.stop());

async function inbox(person: Person): Promise<string[]> {
  const client = await ImapClient.login(server.listeners.imap, person.login, person.password);
  const messages = await client.fetchAll();
  await client.logout();
  return messages.map(({ body }) => body.toString('latin1'));
}

/** The message of a person with this subject, once it has come. */
async function received(person: Person, subject: string, log: () => string): Promise<string> {
  let found: string | undefined;
  const looked = async (): Promise<boolean> => {
    found = (await inbox(person)).find((text) => text.includes(`\r\nSubject: ${subject}\r\n`));
    return found !== undefined;
  };
  await until(subject, looked, PATIENCE_MS).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${log().slice(-4000)}`);
  });
  return found!;
}

const text = (subject: string, body = 'body'): Buffer =>
  Buffer.from(`From: rex@far.example\r\nTo: ann@acme.example\r\nSubject: ${subject}\r\n\r\n${body}\r\n`);

for (const { name, skip, start } of SYSTEMS)
  describe(name, { skip, concurrency: false }, () => {
    const domain = `${name}.example`;
    let running: RunningPeer | undefined;
    const begin = async (protocol: 'smtp' | 'lmtp'): Promise<RunningPeer> => {
      await running?.stop();
      const door = protocol === 'lmtp' ? 'lmtp' : 'smtp';
      running = await start({ port: ports.get(name)!, domain, next: { port: server.listeners[door].port, protocol } });
      return running;
    };
    after(() => running?.stop());

    const give = async (recipients: readonly string[], message: Buffer): Promise<void> => {
      // A command a time: not each of them takes several at once.
      const transport = createTransport({ host: '127.0.0.1', port: ports.get(name)!, ignoreTLS: true });
      await transport.sendMail({ envelope: { from: `rex@${domain}`, to: [...recipients] }, raw: message });
      transport.close();
    };

    for (const protocol of isLong ? (['lmtp', 'smtp'] as const) : (['lmtp'] as const))
      test(`hands mail on by ${protocol}; who is not known here is told to its sender`, async () => {
        const system = await begin(protocol);
        const subject = `${name} by ${protocol}`;
        await give([ann.login, 'nobody@acme.example', bob.login], text(subject, '.dot\r\n..dots'));
        const log = (): string => system.log();
        const message = await received(ann, subject, log);
        assert.match(message, protocol === 'lmtp' ? /\bwith LMTP\b/ : /\bwith E?SMTP/);
        assert.ok(message.endsWith('\r\n\r\n.dot\r\n..dots\r\n'), message);
        await received(bob, subject, log);
        // What it logs of a transfer by BDAT.
        if (name === 'exim' && protocol === 'smtp')
          await until('a transfer by BDAT', () => log().includes(' K C="250'), PATIENCE_MS);
        await until('a report of the peer', () => system.delivered().includes('nobody@acme.example'), PATIENCE_MS);
        assert.match(system.delivered(), /5\.1\.1/);
      });

    test('takes ours', async () => {
      const system = running ?? (await begin('lmtp'));
      const client = await SmtpClient.open(server.listeners.submission, ann);
      await client.send(ann.login, [`rex@${domain}`, `max@${domain}`], text(`to ${name}`, '.dot'));
      await client.quit();
      const isThere = (): boolean => system.delivered().split(`Subject: to ${name}`).length > 2;
      await until('both copies', isThere, PATIENCE_MS).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${system.log().slice(-4000)}\n${server.stderr().slice(-2000)}`);
      });
      assert.match(system.delivered(), /\r?\n\.dot\r?\n/);
    });

    test('a report of success is asked for, and comes from whoever knows', async () => {
      const system = running ?? (await begin('lmtp'));
      const transport = createTransport({
        ...{ host: '127.0.0.1', port: server.listeners.submission.port, tls: { rejectUnauthorized: false } },
        auth: { user: ann.login, pass: ann.password },
      });
      await transport.sendMail({
        ...{ from: ann.login, to: `rex@${domain}`, subject: `report of ${name}`, text: 'Text.' },
        dsn: { id: `id-of-${name}`, return: 'headers', notify: ['success', 'failure'], recipient: ann.login },
      });
      transport.close();
      // OpenSMTPD leaves the envelope's id out, and names the message by its header.
      const isOfIt = (report: string): boolean =>
        report.includes(`id-of-${name}`) || report.includes(`Subject: report of ${name}`);
      const looked = async (): Promise<boolean> =>
        (await inbox(ann)).some((report) => isOfIt(report) && /^Action: (delivered|relayed)/im.test(report));
      await until('the report', looked, PATIENCE_MS).catch(async (error: unknown) => {
        throw new Error(`${String(error)}\n${system.log().slice(-4000)}\n${(await inbox(ann)).at(-1)}`);
      });
    });

    test('a hundred messages, each once', { skip: isLong ? false : 'INTEROP=long' }, async () => {
      const system = running ?? (await begin('lmtp'));
      for (let at = 0; at < 100; at++) await give([ann.login], text(`one of ${name} ${at}`));
      for (let at = 0; at < 100; at++) await received(ann, `one of ${name} ${at}`, () => system.log());
      const all = (await inbox(ann)).filter((message) => message.includes(`Subject: one of ${name} `));
      assert.equal(all.length, 100);
    });

    const hasUtf8 = name !== 'opensmtpd';
    test('an address beyond ASCII', { skip: isLong && hasUtf8 ? false : 'INTEROP=long, SMTPUTF8' }, async () => {
      const system = running ?? (await begin('lmtp'));
      const transport = createTransport({
        ...{ host: '127.0.0.1', port: server.listeners.submission.port, tls: { rejectUnauthorized: false } },
        auth: { user: ann.login, pass: ann.password },
      });
      await transport.sendMail({ from: ann.login, to: `jürgen@${domain}`, subject: `utf8 for ${name}`, text: 'Text.' });
      transport.close();
      await until('the message', () => system.delivered().includes(`Subject: utf8 for ${name}`), PATIENCE_MS);
    });

    test('text beyond ASCII', { skip: isLong ? false : 'INTEROP=long' }, async () => {
      const system = running ?? (await begin('lmtp'));
      const client = await SmtpClient.open(server.listeners.submission, ann);
      const body = Buffer.from('Grüße').toString('latin1');
      await client.send(
        ann.login,
        [`rex@${domain}`],
        Buffer.from(text(`eight bits to ${name}`, body).toString(), 'latin1'),
      );
      await client.quit();
      // As it is, or as quoted-printable.
      const isThere = (): boolean => /Gr(\xc3\xbc\xc3\x9f|=C3=BC=C3=9F)e/.test(system.delivered());
      await until('the text', isThere, PATIENCE_MS);
    });
  });
