// Lists that are expanded behind the reply: everybody once, whatever lists lead to them and whatever ends the process.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { operation } from '../database/operation.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import { addDomain, addGroup, addUser, groupDn, replace, testSite, userDn } from '../provisioning/testing.ts';
import { LIST_BEGIN } from '../routing/list-source.ts';
import { storeChannel } from './channels/store.ts';
import { dueRows } from './due-rows.ts';
import { readSlice } from './expand-list.ts';
import { forgetLists, nextKnown } from './list-progress.ts';
import type { Outcome } from './outcome.ts';
import { carriedBy, encodeCarried, listQueue, type QueueEntry } from './queue.ts';
import { recordOperation } from './record.ts';
import { TestTransfer } from './testing.ts';

const opened: TestTransfer[] = [];
after(async () => {
  for (const transfer of opened) await transfer.close();
});

/** The users ann, bob and cat of acme.example, and lists. */
async function opening(...lists: DirectoryChange[]): Promise<TestTransfer> {
  // Other hosts are asked once, and then not for a while.
  const transfer = await TestTransfer.open({ policy: { retryMs: [600_000], expireMs: 6_000_000 } });
  opened.push(transfer);
  const users = ['ann', 'bob', 'cat'].map((name) => addUser(`${name}@acme.example`));
  await transfer.directory.apply(addDomain('acme.example'), ...users, ...lists);
  return transfer;
}

const far = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, n) => `x${from + n}@remote.example`);

const list = (name: string, members: readonly string[], addresses: readonly string[] = [], more = {}) =>
  addGroup(`${name}@acme.example`, members, {
    ...(addresses.length === 0 ? {} : { mgrpRFC822MailMember: addresses }),
    ...more,
  });

const mail = { from: 'boss@remote.example', text: 'Subject: news\r\n\r\nnews\r\n' };

async function settled(transfer: TestTransfer): Promise<void> {
  await transfer.until('expanded lists', () => queued(transfer).every(({ channel }) => channel === 'smtp'));
}

function queued(transfer: TestTransfer): QueueEntry[] {
  const rows: QueueEntry[] = [];
  for (let page = transfer.queue(); page.length > 0; page = listQueue(transfer.directory.reader, rows.at(-1)!.id))
    rows.push(...page);
  return rows;
}

/** Of queue rows to other hosts, each address once. */
function foreign(transfer: TestTransfer): string[] {
  const rows = queued(transfer).map(({ recipient }) => recipient);
  assert.equal(new Set(rows).size, rows.length, 'an address has two rows');
  return rows;
}

test('a list of more than five hundred is one row until it is expanded, and reaches everybody once', async () => {
  const ann = userDn('ann@acme.example');
  const transfer = await opening(
    list('inner', [ann, userDn('cat@acme.example')], far(700, 600)),
    list(
      'all',
      [ann, userDn('bob@acme.example'), groupDn('inner@acme.example')],
      [...far(1100), 'Ann@Acme.example', 'inner@acme.example', 'all@acme.example'],
    ),
  );
  const id = await transfer.accept({ ...mail, to: ['all@acme.example', 'bob@acme.example'] });
  assert.deepEqual(
    transfer.queue().map(({ channel, recipient }) => [channel, recipient]),
    [['reprocess', 'all@acme.example']],
  );
  assert.equal((await transfer.inbox('bob@acme.example')).length, 1);
  await transfer.start();
  await settled(transfer);
  for (const name of ['ann', 'bob', 'cat'])
    assert.equal((await transfer.inbox(`${name}@acme.example`)).length, 1, name);
  assert.equal(foreign(transfer).length, 1300);
  assert.equal(transfer.events(id).filter((event) => event === 'delivered ann@acme.example').length, 1);
  assert.ok(nextKnown(transfer.directory.reader, 0), 'kept while the message has rows');
  while (transfer.queue().length > 0) await transfer.removeAll();
  while ((await transfer.directory.writer.execute(forgetLists, { message: id })).more);
  assert.equal(nextKnown(transfer.directory.reader, 0), undefined);
});

test('whatever ends the process between two slices, nobody is left out or served twice', async () => {
  const transfer = await opening(list('all', [userDn('ann@acme.example')], far(2600)));
  await transfer.accept({ ...mail, to: ['all@acme.example'] });
  const isExpanding = (): boolean => queued(transfer).some(({ channel }) => channel === 'reprocess');
  for (let run = 0; isExpanding(); run++) {
    assert.ok(run < 50);
    const before = queued(transfer).length;
    await transfer.start();
    await transfer.until('a slice', () => queued(transfer).length > before || !isExpanding());
  }
  await transfer.start();
  await settled(transfer);
  assert.equal(foreign(transfer).length, 2600);
  assert.equal((await transfer.inbox('ann@acme.example')).length, 1);
});

test('who matches when the message comes is a member of a list by URL', async () => {
  const all = { memberURL: 'ldap:///dc=acme,dc=example,o=internet??sub?(&(objectClass=inetMailUser)(l=Berlin))' };
  const transfer = await opening(list('berlin', [], [], all));
  await transfer.directory.apply(
    replace(userDn('ann@acme.example'), { l: 'Berlin' }),
    replace(userDn('cat@acme.example'), { l: 'berlin' }),
  );
  await transfer.accept({ ...mail, to: ['berlin@acme.example'] });
  await transfer.start();
  await settled(transfer);
  assert.deepEqual(transfer.queue(), []);
  assert.equal((await transfer.inbox('ann@acme.example')).length, 1);
  assert.equal((await transfer.inbox('bob@acme.example')).length, 0);
  assert.equal((await transfer.inbox('cat@acme.example')).length, 1);
  await transfer.directory.apply(replace(userDn('ann@acme.example'), { l: 'Bonn' }));
  await transfer.accept({ ...mail, to: ['berlin@acme.example'] });
  await transfer.until('an empty queue', () => transfer.queue().length === 0);
  assert.equal((await transfer.inbox('ann@acme.example')).length, 1);
  assert.equal((await transfer.inbox('cat@acme.example')).length, 2);
});

test('a list that finds nobody is tried again, and members that are refused are reported', async () => {
  const nobody = { memberURL: 'ldap:///dc=acme,dc=example,o=internet??sub?(l=Nowhere)' };
  const transfer = await opening(
    list('nobody', [], [], nobody),
    list('some', [userDn('ann@acme.example')], ['gone@acme.example'], nobody),
  );
  await transfer.start();
  await transfer.accept({ ...mail, to: ['nobody@acme.example'] });
  await transfer.until('an attempt', () => transfer.queue().some(({ attempts }) => attempts === 1));
  assert.match(transfer.queue()[0]!.lastError!, /no members/);
  await transfer.accept({ ...mail, from: 'cat@acme.example', to: ['some@acme.example'] });
  await transfer.until('a report', async () => (await transfer.inbox('cat@acme.example')).length === 1);
  assert.match((await transfer.inbox('cat@acme.example'))[0]!, /gone@acme\.example/);
  assert.equal((await transfer.inbox('ann@acme.example')).length, 1);
});

test('lists twenty deep are expanded; one that lies deeper is reported to the sender', async () => {
  const lists = Array.from({ length: 21 }, (_, n) =>
    list(
      `g${n}`,
      n === 20 ? [userDn('ann@acme.example')] : [groupDn(`g${n + 1}@acme.example`)],
      n === 1 ? far(600) : [],
    ),
  );
  const transfer = await opening(...lists);
  await transfer.start();
  await transfer.accept({ ...mail, to: ['g1@acme.example'] });
  await settled(transfer);
  assert.equal((await transfer.inbox('ann@acme.example')).length, 1);
  await transfer.accept({ ...mail, from: 'cat@acme.example', to: ['g0@acme.example'] });
  await transfer.until('a report', async () => (await transfer.inbox('cat@acme.example')).length === 1);
  assert.match((await transfer.inbox('cat@acme.example'))[0]!, /5\.2\.4[\s\S]*nested too deep/);
  assert.equal((await transfer.inbox('ann@acme.example')).length, 1);
});

test('a slice counts once, though it has been read before another one was written', async () => {
  const transfer = await opening(list('all', [], far(1100)));
  const message = await transfer.accept({ ...mail, to: ['all@acme.example'] });
  const { reader, writer } = transfer.directory;
  const record = recordOperation({ site: testSite, localChannels: new Map([['store', storeChannel]]) });
  const listRow = () =>
    dueRows(reader, { after: 0, now: 0 }, { keys: ['smtp\nremote.example'], channels: [] }, 10).fresh[0]!;
  const row = listRow();
  const read = () => readSlice(reader, message, carriedBy(listRow()).target);
  const recordAs = (attempted: Outcome) =>
    writer.execute(record, {
      message,
      written: { id: message, received: 0, sizeBytes: 20 },
      outcomes: [{ row: row.id, recipient: row.recipient, outcome: attempted }],
      timing: { retryMs: [20], expireMs: 60_000, now: 0, startedAt: 0 },
      at: 0,
    });
  const first = read();
  assert.deepEqual(await recordAs(first), ['continued']);
  const { options } = listRow();
  assert.deepEqual(await recordAs(first), ['continued']);
  assert.equal(listRow().options, options, 'the place has moved');
  assert.equal(foreign(transfer).length, 501);
  assert.deepEqual(await recordAs(read()), ['continued']);
  assert.deepEqual(await recordAs(read()), ['replaced']);
  assert.equal(foreign(transfer).length, 1100);
});

test('a list that is renamed while it is expanded goes on', async () => {
  const transfer = await opening(list('all', [userDn('ann@acme.example')], far(600)));
  await transfer.accept({ ...mail, to: ['all@acme.example'] });
  await transfer.directory.apply({
    kind: 'rename',
    dn: groupDn('all@acme.example'),
    newRdn: 'cn=everybody',
    deleteOldRdn: true,
    newSuperior: undefined,
  });
  await transfer.start();
  await settled(transfer);
  assert.equal(foreign(transfer).length, 600);
});

test('a list that leads to more than a million recipients is reported to the sender, and serves no more', async () => {
  const transfer = await opening(list('all', [], far(600)));
  await transfer.accept({ ...mail, from: 'cat@acme.example', to: ['all@acme.example'] });
  const spoil = operation('test.spoil', async (tx, { options }: { readonly options: string }) => {
    await tx.run("UPDATE queue SET options = ? WHERE channel = 'reprocess'", options);
  });
  const { reader, writer } = transfer.directory;
  const carried = carriedBy(dueRows(reader, { after: 0, now: 0 }, { keys: [], channels: [] }, 1).fresh[0]!);
  const progress = { number: 0, place: LIST_BEGIN, targets: 999_501, hasReached: true };
  const target = { ...carried.target, options: { ...carried.target.options, progress: progress as never } };
  await writer.execute(spoil, { options: encodeCarried({ ...carried, target }) });
  await transfer.start();
  await transfer.until('a report', async () => (await transfer.inbox('cat@acme.example')).length === 1);
  assert.match((await transfer.inbox('cat@acme.example'))[0]!, /Status: 5\.2\.4[\s\S]*more than 1000000 recipients/);
  assert.deepEqual(transfer.queue(), []);
});
