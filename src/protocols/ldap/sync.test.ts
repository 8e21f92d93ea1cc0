// The feed of RFC 4533 over a real socket: what a refresh gives, from nothing, from a good cookie, from one that says nothing;
// what is told from then on; and what its caller may not see.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newestChange } from '../../directory/change-log.ts';
import { findEntry } from '../../directory/entries.ts';
import { addDomain, addUser, userDn } from '../../provisioning/testing.ts';
import { controlOf } from '../../wire/ldap/controls/codec.ts';
import { manageDsaIt } from '../../wire/ldap/controls/manage-dsa-it.ts';
import { pagedResults } from '../../wire/ldap/controls/paged-results.ts';
import { proxiedAuthorization } from '../../wire/ldap/controls/proxied-authorization.ts';
import { type SyncRequest, syncDone, syncRequest, syncState } from '../../wire/ldap/controls/sync.ts';
import type { Control } from '../../wire/ldap/controls.ts';
import { CANCEL, cancelRequest } from '../../wire/ldap/extended/cancel.ts';
import { type SyncInfo, syncInfo } from '../../wire/ldap/extended/sync-info.ts';
import type { LdapMessage, LdapResponse } from '../../wire/ldap/message.ts';
import type { SearchRequest } from '../../wire/ldap/operations/search.ts';
import { parseSyncCookie } from './sync-cookie.ts';
import { GEHEIM, openTestDoor, RawClient, searchFor, type TestDoor } from './testing.ts';

const PEOPLE = 'ou=People,dc=acme,dc=example,o=internet';
const dnOf = (name: string): string => userDn(`${name}@acme.example`);

let door: TestDoor;
before(async () => {
  door = await openTestDoor();
  await door.directory.apply(
    addDomain('acme.example'),
    ...['ann', 'bob', 'cora'].map((name) => addUser(`${name}@acme.example`, GEHEIM)),
  );
});
after(() => door.close());

async function bound(dn?: string): Promise<RawClient> {
  const client = await RawClient.open(door.port);
  assert.equal(await (dn === undefined ? client.bind() : client.bind(dn, 'geheim')), 0);
  return client;
}

const people = searchFor(PEOPLE, { scope: 'sub', attributes: ['*', '+'] });
const sync = (value: Partial<SyncRequest> = {}): Control =>
  controlOf(syncRequest, { mode: 'refreshOnly', cookie: undefined, reloadHint: false, ...value }, true);
const cookieOf = (text: string): Uint8Array => Buffer.from(text);

/** A line a message: `add DN`, `gone UUID...`, `delete DN`, `newCookie`, `refreshDelete`, the result's code. */
interface Said {
  readonly line: string;
  readonly cookie: string | undefined;
  readonly message: LdapMessage<LdapResponse>;
}

function said(message: LdapMessage<LdapResponse>): Said {
  const { operation, controls } = message;
  const text = (cookie: Uint8Array | undefined) => cookie && Buffer.from(cookie).toString();
  if (operation.kind === 'searchEntry') {
    const { state, cookie } = syncState.decode(controls.find(({ type }) => type === syncState.type)!.value);
    return { line: `${state} ${operation.dn}`, cookie: text(cookie), message };
  }
  if (operation.kind === 'searchReference') {
    const { state } = syncState.decode(controls[0]!.value);
    return { line: `${state} reference ${operation.uris.join(' ')}`, cookie: undefined, message };
  }
  if (operation.kind === 'intermediateResponse') {
    const info: SyncInfo = syncInfo.decode(operation.value!);
    const names =
      info.kind === 'syncIdSet' ? [info.refreshDeletes ? 'gone' : 'present', ...info.uuids.map(nameOf)] : [];
    return { line: names.join(' ') || info.kind, cookie: text(info.cookie), message };
  }
  assert.ok('result' in operation);
  const done = controls.find(({ type }) => type === syncDone.type);
  const value = done && syncDone.decode(done.value);
  const deletes = value === undefined ? '' : value.refreshDeletes ? ' deletes' : ' present';
  return { line: `${operation.result.resultCode}${deletes}`, cookie: text(value?.cookie), message };
}

const uuids = new Map<string, string>();
const nameOf = (uuid: string): string => uuids.get(uuid) ?? uuid;
const remember = (name: string): void => {
  uuids.set(findEntry(door.directory.reader, dnOf(name))!.uuid, name);
};

/** All to the result. */
async function refresh(client: RawClient, request: SearchRequest, ...controls: Control[]): Promise<Said[]> {
  client.request(request, controls);
  const all: Said[] = [];
  for (;;) {
    const next = said((await client.response())!);
    all.push(next);
    if ('result' in next.message.operation) return all;
  }
}

const lines = (all: readonly Said[]): string[] => all.map(({ line }) => line);

/** Up to this line. */
async function upTo(client: RawClient, line: string): Promise<Said[]> {
  const all: Said[] = [];
  while (all.at(-1)?.line !== line) {
    const message = await client.response();
    assert.ok(message, lines(all).join('\n'));
    all.push(said(message));
    // The end of the search is not what was waited for.
    if ('result' in message.operation) assert.equal(all.at(-1)!.line, line);
  }
  return all;
}

const describe = (name: string, value: string) =>
  ({
    kind: 'modify',
    dn: dnOf(name),
    modifications: [{ operation: 'replace', attribute: 'description', values: [value] }],
  }) as const;

test('a refresh from nothing gives all, superiors first; from its cookie what has changed; at last nothing', async () => {
  using client = await bound();
  const first = await refresh(
    client,
    people,
    sync({ cookie: cookieOf('rid=007') }),
    controlOf(manageDsaIt, true, true),
  );
  assert.deepEqual(lines(first), [
    `add ${PEOPLE}`,
    ...['ann', 'bob', 'cora'].map((name) => `add ${dnOf(name)}`),
    '0 present',
  ]);
  const { cookie } = first.at(-1)!;
  assert.match(cookie!, /^rid=007,csn=\d{14}\.\d{3}000Z#000000#000#[0-9a-f]{6}$/);
  const entry = first[1]!.message.operation;
  assert.ok(entry.kind === 'searchEntry');
  const names = entry.attributes.map(({ name }) => name);
  for (const name of ['entryUUID', 'entryCSN', 'userPassword', 'structuralObjectClass'])
    assert.ok(names.includes(name));
  for (const name of ['memberOf', 'hasSubordinates', 'contextCSN']) assert.ok(!names.includes(name), name);

  for (const name of ['bob', 'cora']) remember(name);
  await door.directory.apply(
    addUser('dan@acme.example'),
    describe('ann', 'one'),
    describe('ann', 'two'),
    { kind: 'delete', dn: dnOf('cora') },
    { kind: 'rename', dn: dnOf('bob'), newRdn: 'uid=bert', deleteOldRdn: true, newSuperior: undefined },
  );
  const second = await refresh(client, people, sync({ cookie: cookieOf(cookie!) }));
  assert.deepEqual(lines(second), [
    'gone cora',
    `add ${dnOf('dan')}`,
    `add ${dnOf('ann')}`,
    `add ${dnOf('bert')}`,
    '0 deletes',
  ]);
  const third = await refresh(client, people, sync({ cookie: cookieOf(second.at(-1)!.cookie!) }));
  assert.deepEqual(lines(third), ['0 deletes']);
  assert.equal(third[0]!.cookie, second.at(-1)!.cookie);
});

test('a cookie that says nothing here: 4096, and to the reload hint all entries', async () => {
  using client = await bound();
  const [good] = (await refresh(client, people, sync())).slice(-1);
  const csn = good!.cookie!.slice('rid=000,csn='.length);
  const wrong = [
    'x',
    'rid=1',
    'csn=',
    'rid=001,csn=20261126',
    `rid=001,csn=${csn.replace('#000#', '#001#')}`,
    `rid=001,csn=${csn.slice(0, -6)}ffffff`,
    `rid=001,csn=2099${csn.slice(4)}`,
    `rid=001,csn=2001${csn.slice(4)}`,
    `rid=001,csn=99999999999999.999000Z#ffffff#000#ffffff`,
    `rid=001,csn=${'1'.repeat(5000)}`,
  ];
  for (const text of wrong) {
    assert.deepEqual(lines(await refresh(client, people, sync({ cookie: cookieOf(text) }))), ['4096'], text);
    const all = lines(await refresh(client, people, sync({ cookie: cookieOf(text), reloadHint: true })));
    assert.deepEqual([all[0], all.at(-1)], [`add ${PEOPLE}`, '0 present'], text);
  }
  // Of a consumer that has other providers too.
  const several = `rid=002,csn=${csn.replace('#000#', '#001#')};${csn}`;
  assert.deepEqual(lines(await refresh(client, people, sync({ cookie: cookieOf(several) }))), ['0 deletes']);
});

test('what cannot be followed is refused', async () => {
  using client = await bound();
  const code = async (request: SearchRequest, ...controls: Control[]) =>
    lines(await refresh(client, request, sync(), ...controls)).at(-1);
  assert.equal(await code(people, controlOf(pagedResults, { size: 9, cookie: new Uint8Array() }, true)), '12');
  assert.equal(await code(people, controlOf(pagedResults, { size: 9, cookie: new Uint8Array() })), '0 present');
  assert.equal(await code({ ...people, derefAliases: 'always' }), '2');
  assert.equal(await code(searchFor(PEOPLE, { scope: 'sub', text: '(!(memberOf=*))' })), '53');
  assert.equal(await code(searchFor('')), '53');
  assert.equal(await code(searchFor('cn=Subschema')), '53');
  assert.equal(await code(searchFor('dc=nowhere,o=internet')), '32');
  assert.equal(await code({ ...people, sizeLimit: 1 }), '4');
});

test('who takes a name comes behind who leaves it, and goes round in a circle only by way of a deletion', async () => {
  using client = await bound();
  await door.directory.apply(...['x1', 'x2', 'x3'].map((name) => addUser(`${name}@acme.example`)));
  for (const name of ['x1', 'x2', 'x3']) remember(name);
  const { cookie } = (await refresh(client, people, sync())).at(-1)!;
  const rename = (from: string, to: string) =>
    ({ kind: 'rename', dn: dnOf(from), newRdn: `uid=${to}`, deleteOldRdn: true, newSuperior: undefined }) as const;
  // x3 to x4, x2 to x3, x1 to x2; and the one that left first is changed last.
  await door.directory.apply(rename('x3', 'x4'), rename('x2', 'x3'), rename('x1', 'x2'), describe('x4', 'last'));
  const chain = await refresh(client, people, sync({ cookie: cookieOf(cookie!) }));
  assert.deepEqual(lines(chain), [...['x4', 'x3', 'x2'].map((name) => `add ${dnOf(name)}`), '0 deletes']);
  // x2 and x3 change names.
  await door.directory.apply(rename('x2', 'tmp'), rename('x3', 'x2'), rename('tmp', 'x3'));
  const circle = lines(await refresh(client, people, sync({ cookie: cookieOf(chain.at(-1)!.cookie!) })));
  assert.deepEqual(
    circle,
    ['gone x2', `add ${dnOf('x3')}`, `add ${dnOf('x2')}`, '0 deletes'].map((line) => line),
  );
});

test('from then on: each change after its commit, until it is cancelled, abandoned, or another bind comes', async () => {
  using client = await bound();
  const id = client.request(people, [sync({ mode: 'refreshAndPersist', cookie: cookieOf('rid=001') })]);
  const all = await upTo(client, 'refreshPresent');
  assert.ok(all.at(-1)!.cookie?.startsWith('rid=001,csn='));
  await door.directory.apply(addUser('eve@acme.example'));
  assert.deepEqual(lines(await upTo(client, 'newCookie')), [`add ${dnOf('eve')}`, 'newCookie']);
  remember('eve');
  await door.directory.apply(describe('eve', 'changed'), addDomain('elsewhere.example'));
  assert.deepEqual(lines(await upTo(client, 'newCookie')), [`modify ${dnOf('eve')}`, 'newCookie']);
  await door.directory.apply({ kind: 'delete', dn: dnOf('eve') });
  const last = await upTo(client, 'newCookie');
  assert.deepEqual(lines(last), [`delete ${dnOf('eve')}`, 'newCookie']);
  client.request({ kind: 'extended', name: CANCEL, value: cancelRequest.encode(id) });
  const codes = [(await client.result())?.code, (await client.result())?.code];
  assert.deepEqual(codes.sort(), [0, 118]);

  const again = client.request(people, [sync({ mode: 'refreshAndPersist', cookie: cookieOf(last.at(-1)!.cookie!) })]);
  const nothing = await upTo(client, 'refreshDelete');
  assert.deepEqual(lines(nothing), ['refreshDelete']);
  // Where nothing follows for long, it is all that the client can go on from.
  assert.equal(nothing[0]!.cookie, last.at(-1)!.cookie);
  client.request({ kind: 'abandon', abandoned: again });
  await door.directory.apply(describe('ann', 'unseen'));
  client.request(searchFor(PEOPLE));
  const next = (await client.response())!.operation;
  assert.equal(next.kind, 'searchEntry');
  await client.result();

  client.request(people, [sync({ mode: 'refreshAndPersist' })]);
  await upTo(client, 'refreshPresent');
  assert.equal(await client.bind(), 0);
});

test('what leaves the filter or the scope is a deletion', async () => {
  using client = await bound();
  await door.directory.apply(addUser('fay@acme.example', { description: 'in' }));
  remember('fay');
  const request = searchFor(PEOPLE, { scope: 'sub', text: '(description=in)' });
  client.request(request, [sync({ mode: 'refreshAndPersist' })]);
  assert.deepEqual(lines(await upTo(client, 'refreshPresent')), [`add ${dnOf('fay')}`, 'refreshPresent']);
  await door.directory.apply(describe('fay', 'out'));
  assert.deepEqual(lines(await upTo(client, 'newCookie')), [`delete ${dnOf('fay')}`, 'newCookie']);
  await door.directory.apply(describe('fay', 'in'));
  assert.deepEqual((await upTo(client, 'newCookie')).length, 2);
  const newSuperior = 'dc=acme,dc=example,o=internet';
  await door.directory.apply({ kind: 'rename', dn: dnOf('fay'), newRdn: 'uid=fay', deleteOldRdn: false, newSuperior });
  assert.deepEqual(lines(await upTo(client, 'newCookie')), [`delete ${dnOf('fay')}`, 'newCookie']);
});

test('what leaves the sight of its caller is a deletion, and what was never seen is not told of', async () => {
  await door.directory.apply(
    ...['gil', 'hal'].map((name) => addUser(`${name}@acme.example`, { ...GEHEIM, description: 'open' })),
    addUser('ivy@acme.example', { description: 'closed' }),
  );
  for (const name of ['gil', 'hal', 'ivy']) remember(name);
  const aci = (text: string) =>
    ({
      kind: 'modify',
      dn: PEOPLE,
      modifications: [{ operation: 'replace', attribute: 'aci', values: [text] }],
    }) as const;
  const open = (value: string) =>
    `(targetattr="*")(targetfilter="(description=${value})")(version 3.0; acl "open"; allow (read,search) userdn="ldap:///all";)`;
  await door.directory.apply(aci(open('open')));
  using hal = await bound(dnOf('hal'));
  hal.request(people, [sync({ mode: 'refreshAndPersist', reloadHint: true })]);
  const seen = await upTo(hal, 'refreshPresent');
  assert.deepEqual(lines(seen), [`add ${dnOf('gil')}`, `add ${dnOf('hal')}`, 'refreshPresent']);
  await door.directory.apply(describe('ivy', 'still closed'), describe('gil', 'shut'), {
    kind: 'delete',
    dn: dnOf('ivy'),
  });
  const gone = await upTo(hal, 'newCookie');
  assert.deepEqual(lines(gone), [`delete ${dnOf('gil')}`, 'newCookie']);
  // A rule that is about others makes nothing another for this caller; one that is about it does.
  const other = `(targetattr="*")(version 3.0; acl "other"; allow (read) userdn="ldap:///${dnOf('ann')}";)`;
  const both = { operation: 'replace', attribute: 'aci', values: [open('open'), other] } as const;
  await door.directory.apply({ kind: 'modify', dn: PEOPLE, modifications: [both] });
  await upTo(hal, 'newCookie');
  await door.directory.apply(aci(open('shut')));
  assert.deepEqual(lines(await upTo(hal, '51')), ['51']);
  const anew = sync({ cookie: cookieOf(gone.at(-1)!.cookie!), reloadHint: true });
  const after = lines(await refresh(hal, people, anew));
  assert.deepEqual(after.slice(-1), ['0 present'], 'the cookie is older than the rules');
  assert.ok(after.includes(`add ${dnOf('gil')}`));
  assert.deepEqual(lines(await refresh(hal, people, sync({ cookie: cookieOf(gone.at(-1)!.cookie!) }))), ['4096']);
});

test('who gets another name follows no longer by the rights of the old one, and begins anew', async () => {
  const rule = (who: string) =>
    ({
      kind: 'modify',
      dn: PEOPLE,
      modifications: [
        {
          operation: 'replace',
          attribute: 'aci',
          values: [
            `(targetattr="*")(targetfilter="(description=mine)")(version 3.0; acl "mine"; allow (read,search) userdn="ldap:///${who}";)`,
          ],
        },
      ],
    }) as const;
  const { apply } = door.directory;
  await apply(addUser('jon@acme.example', GEHEIM), addUser('kim@acme.example', { description: 'mine' }));
  await apply(rule(dnOf('jon')));
  using jon = await bound(dnOf('jon'));
  jon.request(people, [sync({ mode: 'refreshAndPersist', reloadHint: true })]);
  const before = await upTo(jon, 'refreshPresent');
  assert.deepEqual(lines(before), [`add ${dnOf('jon')}`, `add ${dnOf('kim')}`, 'refreshPresent']);
  const newRdn = 'uid=joe';
  await apply({ kind: 'rename', dn: dnOf('jon'), newRdn, deleteOldRdn: true, newSuperior: undefined });
  await apply(describe('kim', 'mine'));
  assert.equal(said((await jon.response())!).line, '51');
  // What that one no longer sees no log tells of.
  const anew = { cookie: cookieOf(before.at(-1)!.cookie!) };
  assert.deepEqual(lines(await refresh(jon, people, sync(anew))), ['4096']);
  const all = await refresh(jon, people, sync({ ...anew, reloadHint: true }));
  assert.deepEqual(lines(all), [`add ${dnOf('joe')}`, '0 present']);
});

test('a client that takes nothing holds up no one, and gets all when it reads again', async () => {
  using slow = await bound();
  slow.request(people, [sync({ mode: 'refreshAndPersist' })]);
  await upTo(slow, 'refreshPresent');
  slow.socket.pause();
  const long = 'x'.repeat(100_000);
  for (let round = 0; round < 60; round++) await door.directory.apply(describe('ann', `${round}${long}`));
  using quick = await bound();
  quick.request(searchFor(PEOPLE));
  assert.equal((await quick.result())?.code, 0);
  slow.socket.resume();
  const wanted = `59${long}`;
  for (;;) {
    const { operation } = (await slow.response())!;
    if (operation.kind !== 'searchEntry') continue;
    if (operation.attributes.some(({ name, values }) => name === 'description' && values[0] === wanted)) break;
  }
});

test('a refresh names what is gone in sets of five hundred at most', async () => {
  using client = await bound();
  const nodes = Array.from({ length: 1100 }, (_, at) => `ou=n${at},${PEOPLE}`);
  const objectClass = { name: 'objectClass', values: ['organizationalUnit'] };
  await door.directory.apply(...nodes.map((dn) => ({ kind: 'add' as const, dn, attributes: [objectClass] })));
  const { cookie } = (await refresh(client, people, sync())).at(-1)!;
  await door.directory.apply(...nodes.map((dn) => ({ kind: 'delete' as const, dn })));
  const all = await refresh(client, people, sync({ cookie: cookieOf(cookie!) }));
  assert.deepEqual(
    all.map(({ line }) => line.split(' ').length - 1),
    [500, 500, 100, 1],
  );
});

test('what moves, comes and goes while a refresh is under way: in the end the client has what a search finds', async () => {
  using client = await bound();
  const long = 'x'.repeat(20_000);
  const names = Array.from({ length: 400 }, (_, at) => `m${String(at).padStart(3, '0')}`);
  await door.directory.apply(...names.map((name) => addUser(`${name}@acme.example`, { description: long })));
  client.request(people, [sync({ mode: 'refreshAndPersist' })]);
  await client.response();
  client.socket.pause();
  const rename = (from: string, to: string) =>
    ({ kind: 'rename', dn: dnOf(from), newRdn: `uid=${to}`, deleteOldRdn: true, newSuperior: undefined }) as const;
  await door.directory.apply(
    // From behind to before, from before to behind; a name that another takes; what was given goes, and what was not.
    ...names.slice(390).map((name) => rename(name, `a${name}`)),
    ...names.slice(0, 10).map((name) => rename(name, `z${name}`)),
    ...names.slice(380, 390).map((name, at) => rename(name, names[at]!)),
    ...[...names.slice(10, 20), ...names.slice(370, 380)].map((name) => ({ kind: 'delete' as const, dn: dnOf(name) })),
    addUser('b-new@acme.example'),
  );
  client.socket.resume();
  const had = new Map<string, string>();
  let present = new Set<string>();
  const [{ revision }] = [newestChange(door.directory.reader)!];
  for (;;) {
    const message = (await client.response())!;
    const { operation, controls } = message;
    if (operation.kind === 'searchEntry') {
      const { state, uuid } = syncState.decode(controls[0]!.value);
      if (state === 'delete') had.delete(uuid);
      else had.set(uuid, operation.dn);
      present.add(uuid);
      continue;
    }
    assert.ok(operation.kind === 'intermediateResponse');
    const info = syncInfo.decode(operation.value!);
    if (info.kind === 'syncIdSet') for (const uuid of info.uuids) had.delete(uuid);
    // The first entry was read above.
    if (info.kind === 'refreshPresent') for (const uuid of had.keys()) if (!present.has(uuid)) had.delete(uuid);
    if (info.kind === 'refreshPresent') present = new Set();
    if (info.cookie !== undefined && parseSyncCookie(info.cookie).position) {
      const { position } = parseSyncCookie(info.cookie);
      assert.ok(position !== undefined && position !== 'unknown');
      if (position.revision === revision) break;
    }
  }
  using other = await bound();
  other.request(searchFor(PEOPLE, { scope: 'sub', attributes: ['1.1'] }));
  const { entries } = (await other.result())!;
  assert.deepEqual([...had.values()].sort(), entries.filter((dn) => dn !== PEOPLE).sort());
});

test('one connection follows one thing, a caller on ten connections; nobody but a server follows for another', async () => {
  const persist = sync({ mode: 'refreshAndPersist' });
  const clients: RawClient[] = [];
  const opened = async (): Promise<RawClient> => {
    const client = await bound();
    clients.push(client);
    return client;
  };
  try {
    const first = await opened();
    const id = first.request(people, [persist]);
    await upTo(first, 'refreshPresent');
    assert.equal((await refresh(first, people, persist)).at(-1)?.line, '11');
    for (let i = 1; i < 10; i++) {
      const client = await opened();
      client.request(people, [persist]);
      await upTo(client, 'refreshPresent');
    }
    assert.equal((await refresh(await opened(), people, persist)).at(-1)?.line, '51');
    first.request({ kind: 'abandon', abandoned: id });
    first.request(people, [persist]);
    await upTo(first, 'refreshPresent');
    const other = await opened();
    const proxied = controlOf(proxiedAuthorization, `dn:${dnOf('ann')}`, true);
    assert.equal((await refresh(other, people, sync(), proxied)).at(-1)?.line, '53');
  } finally {
    for (const client of clients) client.socket.destroy();
  }
});
