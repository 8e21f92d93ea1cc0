// Who has which rules: of the own entry, of the domain, of the domain of which another name is the address's; who has none is not met.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { silentLog } from '../base/log.ts';
import { operation } from '../database/operation.ts';
import { mailViewText } from '../directory/mail-view.ts';
import type { MirroredChange } from '../directory/mirrored-change.ts';
import { readProblems } from '../routing/table-contents.ts';
import { expireAll, expireOne } from './expiry.ts';
import { takeMirrorPage } from './mirrored.ts';
import { addDomain, addGroup, addUser, domainDn, openTestDirectory, replace, userDn } from './testing.ts';

const NOW = 1_000_000_000;
const DAY = 86_400_000;

/** So many days old, a message in each INBOX. */
const fill = operation('test.fill', async (tx, days: readonly number[]) => {
  await tx.run('DELETE FROM mailbox_message');
  for (const [i, age] of days.entries())
    await tx.run(
      `INSERT INTO mailbox_message (account, mailbox, uid, message, flags, keywords, modseq, touched, internal_date, saved, size)
       SELECT account, id, ?, 0, 0, NULL, 1, 0, 0, ?, 10 FROM mailbox`,
      i + 1,
      NOW - age * DAY,
    );
  await tx.run('UPDATE mailbox SET messages = ?, unseen = messages, bytes = ?', days.length, 10 * days.length);
});

async function open(context: TestContext) {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  const { reader, writer, apply, cache } = directory;
  const collect = async (round: ReturnType<typeof expireAll>): Promise<string[]> => {
    const found: string[] = [];
    for await (const gone of round)
      if (gone !== undefined) found.push(`${gone.account} ${gone.mailbox} ${gone.messages}`);
    return found.sort();
  };
  const parts = { reader, writer, log: silentLog, now: NOW };
  return {
    apply,
    take: (...changes: readonly MirroredChange[]) =>
      writer.execute(takeMirrorPage, { source: 'corp', author: 'cn=corp', now: 1, changes }),
    problems: () => readProblems(reader),
    fill: (...days: readonly number[]) => writer.execute(fill, days),
    expire: (isDryRun = false) => collect(expireAll(isDryRun ? { ...parts, writer: undefined } : parts)),
    expireOne: (address: string) => collect(expireOne(parts, cache.recipient(address)!)),
  };
}

test('a domain has rules for all in it, and who has rules for the same folder has these in their place', async (context) => {
  const { apply, fill, expire, expireOne } = await open(context);
  await apply(
    addDomain('acme.example', { associatedDomain: 'other.example', waypostExpire: ['INBOX 30d', 'Trash 7d'] }),
    addDomain('b.example'),
    ...['ann', 'bob', 'cid'].map((name) => addUser(`${name}@acme.example`)),
    addUser('dan@b.example'),
    addUser('eve@acme.example', { mail: 'eve@other.example' }),
  );
  await apply(
    replace(userDn('bob@acme.example'), { waypostExpire: ['inbox 60d', 'Sent 1d', 'Drafts 1d'] }),
    replace(userDn('cid@acme.example'), { waypostExpire: 'INBOX never' }),
    replace(userDn('dan@b.example'), { waypostExpire: 'I* 50d' }),
  );
  const days = [70, 55, 40, 10];
  await fill(...days);
  const all = [
    'ann@acme.example INBOX 3',
    'bob@acme.example INBOX 1',
    'dan@b.example INBOX 2',
    `${userDn('eve@acme.example')} INBOX 3`,
  ];
  assert.deepEqual(await expire(true), all);
  assert.deepEqual(await expire(), all);
  assert.deepEqual(await expire(), []);
  await fill(...days);
  assert.deepEqual(await expireOne('ann@acme.example'), all.slice(0, 1));
  assert.deepEqual(await expireOne('bob@acme.example'), all.slice(1, 2));
  assert.deepEqual(await expireOne('cid@acme.example'), []);
  assert.deepEqual(await expire(), all.slice(2));
  // Without the values nothing goes.
  await apply(
    replace(domainDn('acme.example'), { waypostExpire: [] }),
    replace(userDn('bob@acme.example'), { waypostExpire: [] }),
    replace(userDn('dan@b.example'), { waypostExpire: [] }),
  );
  await fill(...days);
  assert.deepEqual(await expire(), []);
});

test('many accounts of a domain are walked in pages', async (context) => {
  const { apply, fill, expire } = await open(context);
  await apply(addDomain('acme.example', { waypostExpire: 'INBOX count 1' }));
  const names = Array.from({ length: 1203 }, (_, i) => `u${i}@acme.example`);
  for (let at = 0; at < names.length; at += 200) await apply(...names.slice(at, at + 200).map((name) => addUser(name)));
  await fill(2, 1);
  assert.deepEqual(await expire(), names.map((name) => `${name} INBOX 1`).sort());
});

test("a list's mailbox has the rules of its domain", async (context) => {
  const { apply, fill, expire, expireOne } = await open(context);
  await apply(
    addDomain('acme.example', { waypostExpire: 'INBOX 30d' }),
    addUser('ann@acme.example', { waypostExpire: 'INBOX never' }),
    addGroup('team@acme.example', [userDn('ann@acme.example')], { mailDeliveryOption: 'shared' }),
  );
  await fill(40, 20);
  assert.deepEqual(await expire(true), ['team@acme.example INBOX 1']);
  assert.deepEqual(await expireOne('team@acme.example'), ['team@acme.example INBOX 1']);
});

test('of an entry that another directory has, what parses acts, and what does not is named', async (context) => {
  const { apply, fill, expire, take, problems } = await open(context);
  await apply(addDomain('src.example'));
  const dn = `uid=fay,${domainDn('src.example')}`;
  const values = { objectClass: ['inetOrgPerson'], uid: ['fay'], cn: ['fay'], sn: ['fay'], mail: ['fay@src.example'] };
  const attributes = Object.entries({ ...values, waypostExpire: ['INBOX 30d', 'INBOX soon'] });
  await take({
    kind: 'put',
    entry: {
      ...{ dn, uuid: '00000000-0000-4000-8000-000000000001', createdAt: 1, modifiedAt: 1 },
      mailAs: mailViewText({ kind: 'user', attributes: [] }),
      attributes: attributes.map(([name, each]) => ({ name, values: each })),
    },
  });
  const reason = 'says nothing that can be done';
  assert.deepEqual(problems(), [{ dn, problems: [{ attribute: 'waypostExpire', value: 'INBOX soon', reason }] }]);
  await fill(40, 20);
  assert.deepEqual(await expire(), ['fay@src.example INBOX 1']);
});

test('a value that does not parse is refused with what is right, for users and domains', async (context) => {
  const { apply } = await open(context);
  await apply(addDomain('acme.example'), addUser('ann@acme.example'));
  for (const dn of [domainDn('acme.example'), userDn('ann@acme.example')])
    await assert.rejects(apply(replace(dn, { waypostExpire: 'Trash 30m' })), /waypostExpire.*Trash 30m.*FOLDER AGE/s);
});
