// token add, list and remove over a real directory: what is kept, who may have which, and what becomes of tokens.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { hashOfToken } from '../auth/token.ts';
import type { FailureKind } from '../base/failure.ts';
import { sightOf } from '../directory/access/sight.ts';
import { ADMINISTRATOR_CALLER, ADMINISTRATOR_DN, type Caller, callerOf } from '../directory/caller.ts';
import { entryWithToken, getEntry } from '../directory/entries.ts';
import { parseTokenValue } from '../directory/token.ts';
import { addUser, remove, replace, type TestDirectory, userDn } from '../provisioning/testing.ts';
import { TOKENS_MAX } from '../provisioning/token.ts';
import type { EntryParts } from './entries.ts';
import { openTestAdmin, run } from './testing.ts';
import { tokenAdd, tokenList, tokenRemove } from './token.ts';
import { userAdd, userShow } from './user.ts';

const ANN = 'ann@tok.test';
const DN = userDn(ANN);

let directory: TestDirectory;
let parts: EntryParts;
beforeEach(async () => {
  ({ directory, parts } = await openTestAdmin('tok.test'));
  await run(userAdd(parts), { address: ANN });
});
afterEach(() => directory.close());

const fails = (promise: Promise<unknown>, kind: FailureKind, message: RegExp) =>
  assert.rejects(promise, { name: 'Failure', kind, message });
const valuesOf = (dn = DN) => getEntry(directory.reader, dn).attributes.get('wayposttoken')?.values ?? [];
const holder = (token: string | null) => entryWithToken(directory.reader, hashOfToken(token!))?.dn;
const names = async (account?: string) => (await run(tokenList(parts), { account })).map(({ name }) => name);

test('what is kept tells name, scopes, times and the hash; the entry is found by it', async () => {
  const before = Date.now();
  const added = await run(tokenAdd(parts), { account: ANN, name: 'phone', scopes: ['smtp', 'imap'], expires: '90d' });
  assert.deepEqual([added.account, added.name, added.scopes, added.dryRun], [ANN, 'phone', ['imap', 'smtp'], false]);
  const [value] = valuesOf();
  const kept = parseTokenValue(value!)!;
  assert.equal(kept.hash, hashOfToken(added.token!));
  assert.equal(kept.expiresAt! - kept.createdAt, 90 * 86_400_000);
  assert.ok(kept.createdAt > before - 1000 && kept.createdAt <= Date.now());
  assert.equal(added.expiresAt, new Date(kept.expiresAt!).toISOString());
  assert.equal(holder(added.token), DN);
  assert.equal(String(value).includes(added.token!), false, 'the token itself is kept nowhere');
  const { dryRun: _, revision: __, token: ___, ...listed } = added;
  assert.deepEqual(await run(tokenList(parts), { account: ANN }), [listed]);
});

test('a dry run gives no token and changes nothing', async () => {
  const { revision } = getEntry(directory.reader, DN);
  const added = await run(tokenAdd(parts), { account: ANN, name: 'phone', scopes: ['imap'], dryRun: true });
  assert.deepEqual([added.token, added.expiresAt, valuesOf()], [null, null, []]);
  assert.equal(getEntry(directory.reader, DN).revision, revision);
  await run(tokenAdd(parts), { account: ANN, name: 'phone', scopes: ['imap'] });
  const removed = await run(tokenRemove(parts), { account: ANN, name: 'phone', dryRun: true });
  assert.deepEqual([removed.dryRun, removed.entries.length, valuesOf().length], [true, 1, 1]);
});

test('a removed token is found no more; the others stay', async () => {
  const [phone, tablet] = [
    await run(tokenAdd(parts), { account: ANN, name: 'phone', scopes: ['imap'] }),
    await run(tokenAdd(parts), { account: ANN, name: 'tablet', scopes: ['imap'] }),
  ];
  await run(tokenRemove(parts), { account: ANN, name: 'phone' });
  assert.deepEqual([holder(phone.token), holder(tablet.token), await names(ANN)], [undefined, DN, ['tablet']]);
  await fails(run(tokenRemove(parts), { account: ANN, name: 'phone' }), 'not-found', /no token named phone/);
});

test('a name is given once, fifty times at most, and has no $', async () => {
  const add = (name: string) => run(tokenAdd(parts), { account: ANN, name, scopes: ['imap'] });
  await add('phone');
  await fails(add('phone'), 'exists', /a token named phone already/);
  for (const name of ['', 'a$b', ' a', 'a\n', 'x'.repeat(65)]) await fails(add(name), 'invalid', /^name: /);
  for (let n = 1; n < TOKENS_MAX; n++) await add(`n${n}`);
  await fails(add('one more'), 'too-many', /50 tokens already/);
  await run(tokenRemove(parts), { account: ANN, name: 'phone' });
  await add('one more');
});

test('the Directory Manager has no mail', async () => {
  await fails(run(tokenAdd(parts), { name: 'x', scopes: ['imap'] }), 'invalid', /has no mail/);
  const ops = await run(tokenAdd(parts), { name: 'ops', scopes: ['api', 'ldap'] });
  assert.equal(holder(ops.token), ADMINISTRATOR_DN);
  await run(tokenAdd(parts), { account: ANN, name: 'phone', scopes: ['imap'] });
  const all = await run(tokenList(parts), {});
  assert.deepEqual(all.map(({ account, name }) => [account, name]).sort(), [
    [ANN, 'phone'],
    [ADMINISTRATOR_DN, 'ops'],
  ]);
  await run(tokenRemove(parts), { name: 'ops' });
  assert.deepEqual(await names(), ['phone']);
});

test('input that is none', async () => {
  const add = (more: object) => run(tokenAdd(parts), { account: ANN, name: 'x', scopes: ['imap'], ...more });
  for (const expires of ['0d', '90', '1y', '-1d', '1234567d', '']) await fails(add({ expires }), 'invalid', /./);
  await fails(add({ scopes: [] }), 'invalid', /^scopes: /);
  await fails(add({ scopes: ['web' as 'imap'] }), 'invalid', /^scopes\.0: /);
  await fails(add({ account: 'nobody@tok.test' }), 'not-found', /no user has the address/);
});

test('they outlive a change of password and of name, and go with their entry', async () => {
  const { token } = await run(tokenAdd(parts), { account: ANN, name: 'phone', scopes: ['imap'] });
  await directory.apply(replace(DN, { userPassword: '{SSHA}other', cn: 'Ann Bell' }));
  await directory.apply({ kind: 'rename', dn: DN, newRdn: 'uid=anna', deleteOldRdn: true, newSuperior: undefined });
  const renamed = DN.replace('uid=ann', 'uid=anna');
  assert.equal(holder(token), renamed);
  await directory.apply(remove(renamed));
  assert.equal(holder(token), undefined);
  assert.deepEqual(await names(), []);
  await directory.apply(addUser(ANN));
  assert.deepEqual(await names(ANN), [], 'another entry of the name has none of them');
});

test('no door writes them, only the administrator sees them, and the change log has none', async () => {
  const { token } = await run(tokenAdd(parts), { account: ANN, name: 'phone', scopes: ['imap'] });
  const refused = { name: 'Failure', message: /waypostToken is written by the server only/ };
  const value = `x$imap$20260101000000Z$$${'a'.repeat(64)}`;
  await assert.rejects(directory.apply(replace(DN, { waypostToken: value })), refused);
  await assert.rejects(directory.apply(replace(DN, { waypostToken: [] })), refused);
  await assert.rejects(directory.apply(addUser('bob@tok.test', { waypostToken: value })), refused);
  const entry = getEntry(directory.reader, DN);
  const shown = (caller: Caller) => sightOf(directory.reader, caller, true).shown(entry)!;
  assert.equal(shown(ADMINISTRATOR_CALLER).attributes.has('wayposttoken'), true);
  assert.equal(shown(callerOf(entry)).attributes.has('wayposttoken'), false);
  assert.equal('waypostToken' in (await run(userShow(parts), { address: ANN })).entry.attributes, false);
  const log = JSON.stringify(directory.reader.all('SELECT change FROM dit_change'));
  assert.match(log, /waypostToken/);
  assert.equal(log.includes(hashOfToken(token!)), false);
});
