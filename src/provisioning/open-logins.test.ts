// Logins that are open, over a real directory: what ends them by the commit, what does not, and what it costs the others.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { HashGate } from '../auth/hash-gate.ts';
import { loginDirectory } from '../auth/login-directory.ts';
import { Logins } from '../auth/logins.ts';
import { OpenLogins } from '../auth/open-logins.ts';
import { freely } from '../auth/testing.ts';
import { systemClock } from '../base/clock.ts';
import { SERVER } from '../directory/caller.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import type { ConnectionRecord } from '../net/connection.ts';
import { change } from './change.ts';
import {
  addDomain,
  addUser,
  domainDn,
  openTestDirectory,
  remove,
  replace,
  type TestDirectory,
  testSite,
  userDn,
} from './testing.ts';

const ANN = 'ann@acme.example';
const hashOf = (password: string) => `{SHA}${createHash('sha1').update(password).digest('base64')}`;
const client = { door: 'imap', record: { peerAddress: '192.0.2.1', isPrivate: true } as ConnectionRecord } as const;

let directory: TestDirectory;
let logins: Logins;
/** How often an entry was read for a login that is open. */
let reads: number;

beforeEach(async () => {
  directory = await openTestDirectory();
  const { reader, cache, shared } = directory;
  const secret = { userPassword: hashOf('secret') };
  await directory.apply(
    ...['acme.example', 'b.example'].map((domain) => addDomain(domain)),
    ...[ANN, 'bob@acme.example', 'cy@b.example'].map((address) => addUser(address, secret)),
  );
  const real = loginDirectory(reader, cache);
  reads = 0;
  logins = new Logins({
    directory: {
      ...real,
      now(uuid) {
        reads++;
        return real.now(uuid);
      },
    },
    revision: () => shared.revision(),
    gate: new HashGate(),
    clock: systemClock,
    ...freely(),
    open: new OpenLogins(directory),
  });
});
afterEach(() => directory.close());

interface Session {
  readonly name: string;
  readonly id: string;
  isOver: boolean;
  end(): void;
}

async function open(name = ANN, password = 'secret'): Promise<Session> {
  const login = await logins.login(client, name, Buffer.from(password));
  const session = { name, id: login.id, isOver: false, end: () => {} };
  session.end = login.watch(() => {
    session.isOver = true;
    assert.equal(login.now(), undefined, 'what is told is true');
  });
  return session;
}

/** Who of these is over after the change. */
async function overBy(sessions: readonly Session[], ...changes: DirectoryChange[]): Promise<string[]> {
  await directory.apply(...changes);
  await nextTurn();
  return sessions.filter(({ isOver }) => isOver).map(({ name }) => name);
}

const ann = userDn(ANN);
const acme = domainDn('acme.example');
const ALL = [ANN, 'bob@acme.example', 'cy@b.example'];
const OF_ACME = [ANN, 'bob@acme.example'];

const cases: readonly [what: string, change: DirectoryChange, over: readonly string[]][] = [
  ['a status of the user', replace(ann, { mailUserStatus: 'hold' }), [ANN]],
  ['inetUserStatus', replace(ann, { inetUserStatus: 'inactive' }), [ANN]],
  ['an access rule of the user', replace(ann, { mailAllowedServiceAccess: '-imap:192.0.2.0/24' }), [ANN]],
  ['the move of the mailbox to another host', replace(ann, { mailHost: 'mail2.example' }), [ANN]],
  ['a mailHost that is this one', replace(ann, { mailHost: testSite.hostnames[0]! }), []],
  ['another password', replace(ann, { userPassword: hashOf('other') }), [ANN]],
  ['no password any more', replace(ann, { userPassword: [] }), [ANN]],
  ['one more password', replace(ann, { userPassword: [hashOf('secret'), hashOf('other')] }), [ANN]],
  ['the end of the entry', remove(ann), [ANN]],
  ['a status of the domain', replace(acme, { mailDomainStatus: 'inactive' }), OF_ACME],
  ['inetDomainStatus', replace(acme, { inetDomainStatus: 'deleted' }), OF_ACME],
  ['an access rule of the domain', replace(acme, { mailDomainAllowedServiceAccess: '+pop:*' }), OF_ACME],
  ['an access rule that does not concern it', replace(ann, { mailAllowedServiceAccess: '-imap:198.51.100.7' }), []],
  ['a status that admits', replace(ann, { mailUserStatus: 'overquota' }), []],
  ['the same password', replace(ann, { userPassword: hashOf('secret') }), []],
  ['another attribute', replace(ann, { description: 'likes tea', mailAlternateAddress: 'a@acme.example' }), []],
  ['another attribute of the domain', replace(acme, { description: 'x' }), []],
  ['another entry', addUser('dora@acme.example'), []],
];
for (const [what, asked, over] of cases)
  test(`${what} ends ${over.join(', ') || 'nobody'}`, async () => {
    const sessions = await Promise.all(ALL.map((name) => open(name)));
    assert.deepEqual(await overBy(sessions, asked), over);
  });

test('a change reads no login that it does not concern', async () => {
  const sessions = await Promise.all(ALL.map((name) => open(name)));
  await overBy(sessions, replace(userDn('bob@acme.example'), { mailUserStatus: 'overquota' }));
  assert.equal(reads, 1);
  await overBy(sessions, replace(userDn('cy@b.example'), { description: 'x' }), addUser('dora@acme.example'));
  assert.equal(reads, 1);
});

test('a domain shut by the rename of its people counts as theirs', async () => {
  const session = await open();
  const moved: DirectoryChange = {
    kind: 'rename',
    dn: ann,
    newRdn: 'uid=ann',
    deleteOldRdn: true,
    newSuperior: `ou=People,${domainDn('b.example')}`,
  };
  const inB = `uid=ann,ou=People,${domainDn('b.example')}`;
  assert.deepEqual(await overBy([session], moved, replace(inB, { mail: 'ann@b.example' })), []);
  assert.deepEqual(await overBy([session], replace(acme, { mailDomainStatus: 'hold' })), []);
  assert.deepEqual(await overBy([session], replace(domainDn('b.example'), { mailDomainStatus: 'hold' })), [ANN]);
});

test('the session that changes the password goes on, the others of the account end', async () => {
  const [here, elsewhere] = [await open(), await open()];
  const changes = [replace(ann, { userPassword: hashOf('other') })];
  const args = { changes, caller: SERVER, peer: '', now: 0, session: here.id };
  await directory.writer.execute(change, args);
  await nextTurn();
  assert.deepEqual([here.isOver, elsewhere.isOver], [false, true]);
  const after = await open(ANN, 'other');
  assert.equal(after.isOver, false, 'who logs in with the new one has it');
});

test('a password that is changed while the old one is looked at', async () => {
  const login = await logins.login(client, ANN, Buffer.from('secret'));
  // The session has not begun yet.
  await directory.apply(replace(ann, { userPassword: hashOf('other') }));
  let isOver = false;
  login.watch(() => {
    isOver = true;
  });
  assert.ok(isOver && login.now() === undefined);
});

test('a session that has ended is not told', async () => {
  const session = await open();
  session.end();
  assert.deepEqual(await overBy([session], remove(ann)), []);
});

test('a change that is undone ends nobody', async () => {
  const session = await open();
  const changes = [remove(ann)];
  await directory.writer.execute(change, { changes, caller: SERVER, peer: '', now: 0, dryRun: true });
  await nextTurn();
  assert.equal(session.isOver, false);
});
