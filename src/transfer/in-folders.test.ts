// Mail for a subaddress: the folder that it names takes it where who sends has the right `p` there, and INBOX whatever else there is.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { AccountId, MailboxId } from '../base/ids.ts';
import { ANONYMOUS, type Caller, SERVER } from '../directory/caller.ts';
import { normalizeDn } from '../directory/dn.ts';
import { entryByUuid } from '../directory/entries.ts';
import { addDomain, addGroup, addUser, groupDn, replace, userDn } from '../provisioning/testing.ts';
import { readState } from '../routing/generation.ts';
import { readRecipient } from '../routing/tables.ts';
import { setAcl } from '../store/acl.ts';
import { createMailbox, deleteMailbox, findMailbox, listMailboxes } from '../store/mailboxes.ts';
import { ANYONE } from '../store/rights.ts';
import { TestTransfer } from './testing.ts';

const [BOB, ANN, CAT] = ['bob@acme.example', 'ann@acme.example', 'cat@acme.example'] as const;
const DAN = 'dan@globex.example';
const SALES = 'sales@acme.example';
const TEAM = 'team@acme.example';
const TEXT = 'Subject: news\r\n\r\nx\r\n';
let transfer: TestTransfer;

before(async () => {
  transfer = await TestTransfer.open();
  await transfer.directory.apply(
    addDomain('acme.example'),
    addDomain('globex.example'),
    ...[BOB, ANN, CAT, DAN].map((address) => addUser(address)),
    addGroup('inner@acme.example', [userDn(ANN)]),
    addGroup(SALES, [groupDn('inner@acme.example')]),
    addGroup(TEAM, [userDn(ANN), userDn(BOB)], { mailDeliveryOption: ['shared', 'members'], owner: userDn(CAT) }),
  );
  await transfer.start();
});
after(() => transfer?.close());

/** What each mailbox of an owner held before. */
let held: Map<string, number>;
beforeEach(() => {
  held = new Map();
});

function rowOf(dn: string) {
  const { reader } = transfer.directory;
  return readRecipient(reader, readState(reader).generation, normalizeDn(dn))!;
}

const accountOf = (dn: string): AccountId => rowOf(dn).account!;

function loggedIn(address: string): Caller {
  const { uuid } = rowOf(userDn(address));
  return { kind: 'entry', uuid, dn: entryByUuid(transfer.directory.reader, uuid)!.dn };
}

async function make(owner: AccountId, name: string): Promise<MailboxId> {
  const { reader, writer } = transfer.directory;
  await writer.execute(createMailbox, { owner, name });
  return findMailbox(reader, owner, name)!.id;
}

async function give(
  owner: AccountId,
  mailbox: MailboxId,
  who: string,
  rights: string,
  negative = false,
): Promise<void> {
  const identity = who === ANYONE ? ANYONE : rowOf(who).uuid;
  await transfer.directory.writer.execute(setAcl, {
    ...{ owner, mailbox, identity, rights, negative },
    change: 'replace',
    before: '',
  });
}

/** Which of the owner's mailboxes have more messages after it. */
async function into(owner: AccountId, to: string, caller: Caller = ANONYMOUS): Promise<string[]> {
  const { reader } = transfer.directory;
  for (const { name, messages } of listMailboxes(reader, owner)) held.set(name, messages);
  await transfer.accept({ from: 'x@far.example', to: [to], text: TEXT, caller });
  await transfer.drained();
  return listMailboxes(reader, owner)
    .filter(({ name, messages }) => messages > (held.get(name) ?? 0))
    .map(({ name }) => name);
}

test('a folder without the right p is no address, whoever has other rights in it; to its owner each of the own folders is one', async () => {
  const bob = accountOf(userDn(BOB));
  const own = await make(bob, 'Own');
  assert.deepEqual(await into(bob, 'bob+Own@acme.example'), ['INBOX']);
  await give(bob, own, ANYONE, 'lrswitea');
  assert.deepEqual(await into(bob, 'bob+Own@acme.example'), ['INBOX']);
  assert.deepEqual(await into(bob, 'bob+Own@acme.example', loggedIn(ANN)), ['INBOX']);
  assert.deepEqual(await into(bob, 'bob+Own@acme.example', loggedIn(BOB)), ['Own']);
  assert.deepEqual(await into(bob, 'bob+Nothing@acme.example', loggedIn(BOB)), ['INBOX']);
});

test("mail without a login has the rights of anyone, a login its own: those of its lists, and anyone's within the owner's domain", async () => {
  const bob = accountOf(userDn(BOB));
  const open = await make(bob, 'Open');
  await give(bob, open, ANYONE, 'p');
  assert.deepEqual(await into(bob, 'bob+Open@acme.example'), ['Open']);
  assert.deepEqual(await into(bob, 'bob+Open@acme.example', SERVER), ['Open']);
  assert.deepEqual(await into(bob, 'bob+Open@acme.example', loggedIn(CAT)), ['Open']);
  assert.deepEqual(await into(bob, 'bob+Open@acme.example', loggedIn(DAN)), ['INBOX']);
  await give(bob, open, userDn(CAT), 'p', true);
  assert.deepEqual(await into(bob, 'bob+Open@acme.example', loggedIn(CAT)), ['INBOX']);
  const sales = await make(bob, 'Sales');
  await give(bob, sales, groupDn(SALES), 'p');
  assert.deepEqual(await into(bob, 'bob+Sales@acme.example', loggedIn(ANN)), ['Sales']);
  assert.deepEqual(await into(bob, 'bob+Sales@acme.example', loggedIn(CAT)), ['INBOX']);
  assert.deepEqual(await into(bob, 'bob+Sales@acme.example'), ['INBOX']);
  // With the commit that changes the list.
  await transfer.directory.apply(replace(groupDn('inner@acme.example'), { uniqueMember: userDn(CAT) }));
  assert.deepEqual(await into(bob, 'bob+Sales@acme.example', loggedIn(ANN)), ['INBOX']);
  assert.deepEqual(await into(bob, 'bob+Sales@acme.example', loggedIn(CAT)), ['Sales']);
});

test('the exact name comes first, then that without case; levels have a slash; what cannot be selected or is no name is INBOX', async () => {
  const bob = accountOf(userDn(BOB));
  const { writer } = transfer.directory;
  for (const name of ['News', 'NEWS', 'Lists/Été', 'Gone/Below']) await give(bob, await make(bob, name), ANYONE, 'p');
  assert.deepEqual(await into(bob, 'bob+News@acme.example'), ['News']);
  assert.deepEqual(await into(bob, 'bob+NEWS@acme.example'), ['NEWS']);
  assert.deepEqual(await into(bob, 'bob+news@acme.example'), ['NEWS']);
  assert.deepEqual(await into(bob, 'BOB+lists/éTÉ@acme.example'), ['Lists/Été']);
  assert.deepEqual(await into(bob, 'bob+Lists@acme.example'), ['INBOX']);
  assert.deepEqual(await into(bob, 'bob+gone/below@acme.example'), ['Gone/Below']);
  await give(bob, findMailbox(transfer.directory.reader, bob, 'Gone')!.id, ANYONE, 'p');
  assert.deepEqual(await into(bob, 'bob+Gone@acme.example'), ['Gone']);
  await writer.execute(deleteMailbox, { owner: bob, name: 'Gone' });
  await give(bob, findMailbox(transfer.directory.reader, bob, 'Gone')!.id, ANYONE, 'p');
  for (const folder of [
    'Gone',
    '/News',
    'News/',
    'News//x',
    'News/x',
    '*',
    'News+x',
    '',
    'inbox',
    `${'a/'.repeat(29)}a`,
  ])
    assert.deepEqual(await into(bob, `bob+${folder}@acme.example`), ['INBOX'], folder);
  // Exact, but without the right: no other takes its place.
  await give(bob, findMailbox(transfer.directory.reader, bob, 'News')!.id, ANYONE, '');
  assert.deepEqual(await into(bob, 'bob+News@acme.example'), ['INBOX']);
});

test('an address that is claimed as it is names no folder; one message is in an account once', async () => {
  const bob = accountOf(userDn(BOB));
  await give(bob, await make(bob, 'Twice'), ANYONE, 'p');
  const both = async (to: readonly string[]): Promise<string[]> => {
    for (const { name, messages } of listMailboxes(transfer.directory.reader, bob)) held.set(name, messages);
    await transfer.accept({ from: 'x@far.example', to, text: TEXT });
    return listMailboxes(transfer.directory.reader, bob)
      .filter(({ name, messages }) => messages !== held.get(name))
      .map(({ name, messages }) => `${name} ${messages - held.get(name)!}`);
  };
  assert.deepEqual(await both(['bob+twice@acme.example', BOB]), ['Twice 1']);
  assert.deepEqual(await both([BOB, 'bob+twice@acme.example']), ['INBOX 1']);
  await transfer.directory.apply(replace(userDn(BOB), { mailAlternateAddress: 'bob+Twice@acme.example' }));
  assert.deepEqual(await into(bob, 'bob+twice@acme.example'), ['INBOX']);
  await transfer.directory.apply(replace(userDn(BOB), { mailAlternateAddress: [] }));
});

test("a list's mailbox has addresses for its folders alike, its owner may post to all of them, its members where they are given p", async () => {
  const team = accountOf(groupDn(TEAM));
  const cases = await make(team, 'Cases');
  assert.deepEqual(await into(team, 'team+cases@acme.example'), ['INBOX']);
  assert.deepEqual(await into(team, 'team+cases@acme.example', loggedIn(ANN)), ['INBOX']);
  assert.deepEqual(await into(team, 'team+cases@acme.example', loggedIn(CAT)), ['Cases']);
  await give(team, cases, groupDn(TEAM), 'lrswipte');
  assert.deepEqual(await into(team, 'team+cases@acme.example', loggedIn(ANN)), ['Cases']);
  assert.deepEqual(await into(team, 'team+cases@acme.example'), ['INBOX']);
});

test('who waits for room gets it where the rights are when its turn comes', async () => {
  const bob = accountOf(userDn(BOB));
  const late = await make(bob, 'Late');
  await transfer.directory.apply(replace(userDn(BOB), { mailMsgQuota: '1' }));
  await transfer.accept({ from: 'x@far.example', to: [CAT, 'bob+late@acme.example'], text: TEXT });
  assert.equal(transfer.queue().length, 1);
  assert.equal(findMailbox(transfer.directory.reader, bob, 'Late')!.messages, 0);
  await give(bob, late, ANYONE, 'p');
  await transfer.directory.apply(replace(userDn(BOB), { mailMsgQuota: [] }));
  await transfer.drained();
  assert.equal(findMailbox(transfer.directory.reader, bob, 'Late')!.messages, 1);
});
