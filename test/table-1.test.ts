// Table 1 of the seed, each of its eight rows by an incremental synchronization: what LDAP has acknowledged the next RCPT
// sees, on every thread.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Client } from 'ldapts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import {
  addDomain,
  addUser,
  administrator,
  domainDn,
  removeUser,
  replaceAttribute,
  userDn,
} from './support/directory.ts';
import { startWaypost, type Waypost } from './support/server.ts';

const THREADS = 3;
const ANN = 'ann@acme.example';
const TEAM = 'team@acme.example';
const TEAM_DN = `cn=team,ou=Groups,${domainDn('acme.example')}`;

let server: Waypost;
let ldap: Client;
/** Consecutive connections go to different threads. */
let sessions: SmtpClient[];
before(async () => {
  server = await startWaypost({ config: `threads = ${THREADS}` });
  ldap = await administrator(server);
  await addDomain(ldap, 'acme.example');
  sessions = await Promise.all(Array.from({ length: 2 * THREADS }, () => SmtpClient.open(server.listeners.smtp)));
});
after(async () => {
  for (const session of sessions ?? []) session.destroy();
  await ldap?.unbind();
  await server?.stop();
});

/** The one answer of all threads. */
async function rcpt(to: string, from = 'carol@remote.example'): Promise<string> {
  const replies = await Promise.all(
    sessions.map(async (session) => {
      await session.command('RSET');
      await session.command(`MAIL FROM:<${from}>`);
      const { code, lines } = await session.command(`RCPT TO:<${to}>`);
      return `${code} ${lines[0]?.split(' ')[0]}`;
    }),
  );
  assert.equal(new Set(replies).size, 1, `${to}: ${replies.join(', ')}`);
  return replies[0]!;
}

const addTeam = (members: Record<string, string | string[]>): Promise<void> =>
  ldap.add(TEAM_DN, {
    objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
    cn: 'team',
    mail: TEAM,
    ...members,
  });

const [TAKEN, NOBODY, NO_MEMBERS, NOT_ALLOWED] = ['250 2.1.5', '550 5.1.1', '450 4.2.4', '550 5.7.1'];

test('a new user entry', async () => {
  assert.equal(await rcpt(ANN), NOBODY);
  await addUser(ldap, ANN);
  assert.equal(await rcpt(ANN), TAKEN);
});

test('a modified user entry', async () => {
  await replaceAttribute(ldap, userDn(ANN), 'mailUserStatus', ['inactive']);
  assert.equal(await rcpt(ANN), '450 4.2.1');
  await replaceAttribute(ldap, userDn(ANN), 'mailUserStatus', []);
  await replaceAttribute(ldap, userDn(ANN), 'mail', ['anna@acme.example']);
  assert.deepEqual([await rcpt(ANN), await rcpt('anna@acme.example')], [NOBODY, TAKEN]);
  await replaceAttribute(ldap, userDn(ANN), 'mail', [ANN]);
  assert.deepEqual([await rcpt(ANN), await rcpt('anna@acme.example')], [TAKEN, NOBODY]);
});

test('a new list', async () => {
  assert.equal(await rcpt(TEAM), NOBODY);
  await addTeam({});
  assert.equal(await rcpt(TEAM), NO_MEMBERS);
});

test('new members of a list, then deleted ones', async () => {
  await replaceAttribute(ldap, TEAM_DN, 'uniqueMember', [userDn(ANN)]);
  assert.equal(await rcpt(TEAM), TAKEN);
  await replaceAttribute(ldap, TEAM_DN, 'uniqueMember', []);
  assert.equal(await rcpt(TEAM), NO_MEMBERS);
  await replaceAttribute(ldap, TEAM_DN, 'mgrpRFC822MailMember', [ANN]);
  assert.equal(await rcpt(TEAM), TAKEN);
});

test('a modification of access control, there and back', async () => {
  await replaceAttribute(ldap, TEAM_DN, 'mgrpDisallowedDomain', ['remote.example']);
  assert.deepEqual([await rcpt(TEAM), await rcpt(TEAM, ANN)], [NOT_ALLOWED, TAKEN]);
  await replaceAttribute(ldap, TEAM_DN, 'mgrpDisallowedDomain', []);
  await replaceAttribute(ldap, TEAM_DN, 'mgrpAllowedBroadcaster', [userDn(ANN)]);
  assert.deepEqual([await rcpt(TEAM), await rcpt(TEAM, ANN)], [NOT_ALLOWED, TAKEN]);
  await replaceAttribute(ldap, TEAM_DN, 'mgrpAllowedBroadcaster', []);
  assert.equal(await rcpt(TEAM), TAKEN);
});

test('a deleted list', async () => {
  await ldap.del(TEAM_DN);
  assert.equal(await rcpt(TEAM), NOBODY);
});

test('a deleted user entry', async () => {
  await removeUser(ldap, ANN);
  assert.equal(await rcpt(ANN), NOBODY);
});
