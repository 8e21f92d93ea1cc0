// One user with four delivery options and a group with a shared mailbox, through the whole server: each option has each message once,
// with the next message after the change, and over kill -9.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient, ImapRefusal } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import {
  addDomain,
  addUser,
  administrator,
  domainDn,
  PASSWORD,
  replaceAttribute,
  userDn,
} from './support/directory.ts';
import { kills } from './support/kills.ts';
import { Lines } from './support/lines.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const KILLS = kills(2);
const ann = 'ann@acme.example';
const team = 'team@acme.example';
const ACME = domainDn('acme.example');
let server: Waypost;
let directory: Client;
let folder: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waypost-programs-'));
  chmodSync(folder, 0o777);
  server = await startWaypost({ config: '[queue]\nretry = ["1s"]\n' });
  directory = await administrator(server);
  await addDomain(directory, 'acme.example');
  for (const name of ['bob', 'cat', 'sam']) await addUser(directory, `${name}@acme.example`);
  await addUser(directory, ann, {
    mailDeliveryFileURL: 'lists/ann',
    mailProgramDeliveryInfo: 'log',
    waypostSharedMailbox: team,
  });
  await addGroup('inner', [userDn('bob@acme.example')]);
  await addGroup('team', [userDn(ann), groupDn('inner')], { mailDeliveryOption: 'shared' });
  await directory.add('cn=log,ou=Programs,ou=Waypost,o=internet', {
    objectClass: 'waypostProgram',
    cn: 'log',
    waypostProgramPath: '/bin/sh',
    waypostProgramArguments: JSON.stringify(['-c', 'grep -m1 ^Subject: >> "$0"', join(folder, 'log')]),
    waypostProgramUser: process.getuid!() === 0 ? 'nobody' : userInfo().username,
  });
});

after(async () => {
  await directory?.unbind();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const groupDn = (name: string): string => `cn=${name},ou=Groups,${ACME}`;

async function addGroup(name: string, members: readonly string[], more = {}): Promise<void> {
  await directory.add(groupDn(name), {
    objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
    cn: name,
    mail: `${name}@acme.example`,
    uniqueMember: [...members],
    ...more,
  });
}

const message = (subject: string): Buffer => Buffer.from(`Subject: ${subject}\r\n\r\n${subject}\r\n`);

async function send(subject: string, to = ann): Promise<void> {
  const client = await SmtpClient.open(server.listeners.smtp);
  try {
    await client.send('sam@acme.example', [to], message(subject));
  } finally {
    client.connection.destroy();
  }
}

/** Logged in to the group's mailbox. */
async function asTeam(login: string, door: 'imap' | 'pop3' = 'imap'): Promise<ImapClient> {
  const client = await ImapClient.open(server.listeners[door]);
  const response = Buffer.from(`${team}\0${login}\0${PASSWORD}`).toString('base64');
  await client.command(`AUTHENTICATE PLAIN ${response}`);
  return client;
}

async function subjects(client: ImapClient): Promise<string[]> {
  await client.command('SELECT INBOX');
  const { untagged } = await client
    .command('FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
    .catch(() => ({ untagged: [] }));
  return untagged.flatMap(({ literals }) =>
    literals.map((bytes) => bytes.toString('latin1').trim().replace('Subject: ', '')),
  );
}

async function inInbox(): Promise<string[]> {
  const client = await ImapClient.login(server.listeners.imap, ann, PASSWORD);
  const found = await subjects(client);
  client.connection.destroy();
  return found;
}

async function inShared(): Promise<string[]> {
  const client = await asTeam(ann);
  const found = await subjects(client);
  client.connection.destroy();
  return found;
}

function inFile(): string[] {
  const path = join(server.data, 'files/acme.example/lists/ann');
  if (!existsSync(path)) return [];
  const script = 'import mailbox,sys\nfor each in mailbox.mbox(sys.argv[1], create=False): print(each["subject"])';
  return execFileSync('python3', ['-c', script, path], { encoding: 'utf8' }).split('\n').slice(0, -1);
}

function inProgram(): string[] {
  const path = join(folder, 'log');
  return existsSync(path)
    ? readFileSync(path, 'latin1')
        .split('\n')
        .slice(0, -1)
        .map((line) => line.trim().replace('Subject: ', ''))
    : [];
}

/** Throws where it does not end with 0. */
function waypost(...args: readonly string[]): string {
  return execFileSync('./waypost', [...args, '--data', server.data], { encoding: 'utf8' });
}

async function isQueueEmpty(): Promise<boolean> {
  return (await new AdminClient(server.data).call('queue.list', {})).length === 0;
}

async function options(...values: string[]): Promise<void> {
  await replaceAttribute(directory, userDn(ann), 'mailDeliveryOption', values);
}

test('each option acts from the next message on, and none stands for another', async () => {
  const after: readonly (readonly [subject: string, options: readonly string[]])[] = [
    ['m0', ['mailbox', 'program', 'file', 'shared']],
    ['m1', ['file']],
    ['m2', ['program', 'shared']],
    ['m3', ['mailbox']],
  ];
  for (const [subject, next] of after) {
    await send(subject);
    // What waits when an option is taken away is not done.
    await until('an empty queue', isQueueEmpty);
    await options(...next);
  }
  assert.deepEqual(await inInbox(), ['m0', 'm1']);
  assert.deepEqual(inProgram(), ['m1', 'm3']);
  assert.deepEqual(inFile(), ['m1', 'm2']);
  assert.deepEqual(await inShared(), ['m1', 'm3']);
});

test('commands say what becomes of the mail, and the tables are what the entries say', async () => {
  await options('mailbox', 'program', 'file', 'shared');
  const shown = waypost('user', 'show', ann);
  for (const words of ['given to the program log', 'written to the file lists/ann', `into the shared mailbox ${team}`])
    assert.ok(shown.includes(words), shown);
  const route = waypost('route', ann);
  for (const target of ['program to log', 'file to acme.example/lists/ann']) assert.ok(route.includes(target), route);
  assert.match(waypost('trace', ann), /started .*program log as /);
  waypost('sync', 'verify');
});

test('a shared mailbox gets what is sent to the group, and its members share its flags', async () => {
  await send('to the team', team);
  const [anns, bobs] = [await asTeam(ann), await asTeam('bob@acme.example')];
  assert.deepEqual((await subjects(bobs)).at(-1), 'to the team');
  assert.deepEqual((await subjects(anns)).at(-1), 'to the team');
  // The first folders are for people.
  const listed = (await anns.command('LIST "" *')).untagged.map(({ text }) => text.replace(/^LIST \([^)]*\) /, ''));
  assert.deepEqual(listed, ['"/" INBOX']);
  await bobs.command('STORE 1 +FLAGS (\\Flagged)');
  const { untagged } = await anns.command('NOOP');
  assert.match(untagged.map(({ text }) => text).join('\n'), /^1 FETCH .*\\Flagged/m);
  await assert.rejects(asTeam('cat@acme.example'), ImapRefusal);
  // Who is taken out of the group is out with the next command; who has logged in as such stays.
  const own = await ImapClient.login(server.listeners.imap, 'bob@acme.example', PASSWORD);
  await replaceAttribute(directory, groupDn('inner'), 'uniqueMember', [userDn('sam@acme.example')]);
  await assert.rejects(bobs.command('FETCH 1 FLAGS').then(() => bobs.command('FETCH 1 FLAGS')));
  await own.command('NOOP');
  await assert.rejects(asTeam('bob@acme.example'), ImapRefusal);
  await (await asTeam('sam@acme.example')).command('NOOP');
  for (const client of [anns, own]) client.connection.destroy();
  const smtp = await SmtpClient.open(server.listeners.submission);
  const plain = Buffer.from(`${team}\0${ann}\0${PASSWORD}`).toString('base64');
  assert.equal((await smtp.command(`AUTH PLAIN ${plain}`)).code, 535);
  smtp.connection.destroy();
});

/** In IDLE on the group's mailbox: what it is told from here on. */
async function idling(login: string): Promise<Lines> {
  const { host, port } = server.listeners.imap;
  const lines = new Lines(connect({ host, port, noDelay: true }));
  assert.match(await lines.line(), /^\* OK /);
  const response = Buffer.from(`${team}\0${login}\0${PASSWORD}`).toString('base64');
  await lines.command(`a AUTHENTICATE PLAIN ${response}`, 'a OK');
  await lines.command('b SELECT INBOX', 'b OK');
  await lines.command('c IDLE', '+ ');
  return lines;
}

test('who is taken out of a group hears no more of its mailbox, in IDLE either', {
  timeout: 300_000,
}, async (context) => {
  const cat = userDn('cat@acme.example');
  const others = [userDn(ann), groupDn('inner')];
  const outer = (dns: string[]) => replaceAttribute(directory, groupDn('team'), 'uniqueMember', dns);
  const inner = (dns: string[]) => replaceAttribute(directory, groupDn('inner'), 'uniqueMember', dns);
  context.after(() => outer(others));
  const anns = await idling(ann);
  const ways = {
    'out of the group': [() => outer([...others, cat]), () => outer(others)],
    'out of a group in it': [() => inner([userDn('bob@acme.example'), cat]), () => inner([userDn('bob@acme.example')])],
  };
  for (const [way, [into, out]] of Object.entries(ways)) {
    await into!();
    const cats = await idling('cat@acme.example');
    await send(`while she is in: ${way}`, team);
    assert.match(await cats.line(), /^\* \d+ EXISTS$/);
    assert.match(await cats.line(), /^\* \d+ RECENT$/);
    await out!();
    assert.match(await cats.line(), /^\* BYE /, way);
    assert.equal(await cats.line(), '');
  }
  // In the same moment as mail comes.
  await outer([...others, cat]);
  const cats = await idling('cat@acme.example');
  await outer(others);
  await send('when she is out', team);
  assert.match(await cats.line(), /^\* BYE /);
  // Who is in it still goes on.
  const told = await anns.command('DONE', 'c OK');
  assert.ok(told.filter((line) => line.endsWith(' EXISTS')).length >= 2, told.join());
  anns.close();
});

test('each option has each message once, whenever the server is killed', { timeout: 600_000 }, async (context) => {
  await options('mailbox', 'program', 'file', 'shared');
  const accepted: string[] = [];
  const open: string[] = [];
  for (let life = 0; life < KILLS; life++) {
    const delayMs = 200 + Math.floor(Math.random() * 1500);
    context.diagnostic(`killed after ${delayMs} ms`);
    let isAlive = true;
    const killed = new Promise((resolve) => setTimeout(resolve, delayMs)).then(async () => {
      isAlive = false;
      await server.kill9();
    });
    for (let n = 0; isAlive; n++) {
      const subject = `k${life}-${n}`;
      open.push(subject);
      try {
        await send(subject);
        open.pop();
        accepted.push(subject);
      } catch {
        break;
      }
    }
    await killed;
    await server.restart();
  }
  const missing = (found: readonly string[]): string[] => accepted.filter((subject) => !found.includes(subject));
  await until('all in the file and the program', () => missing(inFile()).length + missing(inProgram()).length === 0);
  await until('an empty queue', isQueueEmpty);
  for (const [what, found] of Object.entries({ inbox: await inInbox(), file: inFile(), shared: await inShared() })) {
    const own = found.filter((subject) => subject.startsWith('k'));
    assert.deepEqual(missing(own), [], what);
    assert.equal(new Set(own).size, own.length, `${what} has one twice`);
    for (const subject of own)
      assert.ok(accepted.includes(subject) || open.includes(subject), `${what} has ${subject}`);
  }
  const runs = inProgram().filter((subject) => subject.startsWith('k'));
  assert.deepEqual(missing(runs), []);
  const repeats = runs.length - new Set(runs).size;
  context.diagnostic(`${accepted.length} messages, ${repeats} runs repeated by ${KILLS} kills`);
  // A program that runs when the server is killed is run once more: four of them may.
  assert.ok(repeats <= 4 * KILLS, `${repeats} runs were repeated`);
});
