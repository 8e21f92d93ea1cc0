// A folder shared with a list of the directory, and a list's mailbox, through the whole server: a change of the list over LDAP acts in
// sessions that are open.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import type { Client } from 'ldapts';
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
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const ACME = domainDn('acme.example');
const [ann, bob, cat] = ['ann@acme.example', 'bob@acme.example', 'cat@acme.example'] as const;
const PROJECTS = '"Other Users/bob@acme.example/Projects"';
const TEAM = 'Shared/team@acme.example';
let server: Waypost;
let directory: Client;

before(async () => {
  server = await startWaypost();
  directory = await administrator(server);
  await addDomain(directory, 'acme.example');
  for (const address of [ann, bob, cat]) await addUser(directory, address);
  await addGroup('inner', [userDn(ann)]);
  await addGroup('sales', [groupDn('inner')]);
  await addGroup('team', [userDn(ann), userDn(bob)], { mailDeliveryOption: 'shared', owner: userDn(bob) });
});

after(async () => {
  await directory?.unbind();
  await server?.stop();
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

const login = (address: string) => ImapClient.login(server.listeners.imap, address, PASSWORD);

/** The untagged lines of an answer. */
async function said(client: ImapClient, command: string): Promise<string> {
  return (await client.command(command)).untagged.map(({ text }) => text).join('\n');
}

test('who leaves a list of the directory leaves the folders that are shared with it, in an open session too', async () => {
  const owner = await login(bob);
  const reader = await login(ann);
  await owner.command('CREATE Projects');
  await owner.append('Projects', Buffer.from('Subject: plan\r\n\r\nx\r\n'));
  await assert.rejects(reader.command(`SELECT ${PROJECTS}`), ImapRefusal);
  await owner.command('SETACL Projects sales@acme.example lrs');
  assert.match(await said(reader, 'LIST "" "*"'), /Other Users\/bob@acme\.example\/Projects/);
  await reader.command(`SELECT ${PROJECTS}`);
  assert.match(await said(reader, 'FETCH 1 (BODY[])'), /BODY\[\] \{20\}/);
  assert.match(await said(reader, 'FETCH 1 (FLAGS)'), /\\Seen/);
  await owner.command('SELECT Projects');
  assert.doesNotMatch(await said(owner, 'FETCH 1 (FLAGS)'), /\\Seen/);
  await replaceAttribute(directory, groupDn('inner'), 'uniqueMember', [userDn(cat)]);
  await until('the session of who has left has ended', async () => {
    const ended = await reader.command('NOOP').then(
      () => false,
      () => true,
    );
    return ended;
  });
  const other = await login(cat);
  assert.match(await said(other, `STATUS ${PROJECTS} (MESSAGES UNSEEN)`), /MESSAGES 1 UNSEEN 1/);
  const again = await login(ann);
  assert.doesNotMatch(await said(again, 'LIST "" "*"'), /Other Users/);
  for (const client of [owner, other, again]) await client.logout();
});

test("a list's mailbox is a folder of its members', each with the own status", async () => {
  const one = await login(ann);
  const other = await login(bob);
  await one.append(TEAM, Buffer.from('Subject: case\r\n\r\nx\r\n'));
  assert.match(await said(one, 'LIST "" "Shared/*" RETURN (MYRIGHTS)'), /MYRIGHTS Shared\/team@acme\.example lrswited/);
  await one.command(`SELECT ${TEAM}`);
  await one.command('STORE 1 +FLAGS (\\Seen)');
  assert.match(await said(one, `STATUS ${TEAM} (UNSEEN)`), /UNSEEN 0/);
  assert.match(await said(other, `STATUS ${TEAM} (UNSEEN)`), /UNSEEN 1/);
  const stranger = await login(cat);
  await assert.rejects(stranger.command(`SELECT ${TEAM}`), ImapRefusal);
  assert.equal(await said(stranger, 'LIST "" "Shared/*"'), '');
  for (const client of [one, other, stranger]) await client.logout();
});

test('mail to a folder by its address arrives there for who may post, else in INBOX; route says which', async () => {
  const owner = await login(bob);
  await owner.command('CREATE News');
  const before = await owner.count('INBOX');
  await submit(ann, 'bob+news@acme.example');
  assert.deepEqual([await owner.count('News'), await owner.count('INBOX')], [0, before + 1]);
  assert.match(
    route('bob+news@acme.example'),
    /subaddress\s+bob\+news@acme\.example: INBOX: who sends has no right p in News/,
  );
  await owner.command('SETACL News sales@acme.example p');
  await submit(cat, 'bob+news@acme.example');
  await submit(ann, 'bob+news@acme.example');
  await deliver('stranger@far.example', 'bob+news@acme.example');
  assert.deepEqual([await owner.count('News'), await owner.count('INBOX')], [1, before + 3]);
  await owner.command('SETACL News anyone p');
  await deliver('stranger@far.example', 'bob+news@acme.example');
  assert.equal(await owner.count('News'), 2);
  assert.match(
    route('bob+news@acme.example'),
    /subaddress\s+bob\+news@acme\.example: folder News: who sends has the right p/,
  );
  assert.match(route('bob+news@acme.example', '--authenticated', bob), /folder News: its owner sends/);
  assert.match(route('bob+other@acme.example'), /INBOX: there is no folder other/);
  assert.doesNotMatch(route(bob), /subaddress/);
  await owner.logout();
});

/** What the program prints. */
function route(...args: readonly string[]): string {
  return execFileSync('./waypost', ['route', ...args, '--data', server.data], { encoding: 'utf8' });
}

const MESSAGE = Buffer.from('Subject: news\r\n\r\nx\r\n');

async function submit(from: string, to: string): Promise<void> {
  const client = await SmtpClient.open(server.listeners.submission, { login: from, password: PASSWORD });
  await client.send(from, [to], MESSAGE);
  await client.quit();
}

async function deliver(from: string, to: string): Promise<void> {
  const client = await SmtpClient.open(server.listeners.smtp);
  await client.send(from, [to], MESSAGE);
  await client.quit();
}

test("common-flags makes a list's mailbox a help desk: one status for all members, whom its owner names alone", async () => {
  const member = await login(ann);
  const owner = await login(bob);
  const commonFlags = (value: string) => `SETMETADATA ${TEAM} (/shared/vendor/waypost/common-flags "${value}")`;
  await member.append(TEAM, Buffer.from('Subject: help\r\n\r\nx\r\n'));
  await assert.rejects(member.command(commonFlags('true')), ImapRefusal);
  await member.command(`SELECT ${TEAM}`);
  await owner.command(commonFlags('true'));
  await owner.command(`SELECT ${TEAM}`);
  await owner.command('STORE 1:* FLAGS ($Mine)');
  assert.match(await said(member, 'FETCH 1:* (FLAGS)'), /^1 FETCH \(FLAGS \(\$Mine[ )]/m);
  await member.command('STORE 1:* +FLAGS (\\Seen)');
  assert.match(await said(owner, `STATUS ${TEAM} (UNSEEN)`), /UNSEEN 0/);
  for (const client of [member, owner]) await client.logout();
});
