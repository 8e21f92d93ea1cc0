// The schema binds as other LDAP servers' do: the same changes on a started Waypost and on Debian's slapd, which includes
// what `waypost directory export --schema` prints, get the same result codes and leave the same entries.
//
// Exceptions are named beside their operation (`ours`), with the reason.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Attribute, Change, Client, ResultCodeError } from 'ldapts';
import { type Slapd, startSlapd } from './sessions/ldap/slapd.ts';
import { peersMissing } from './support/peers.ts';
import { startWaypost, type Waypost } from './support/server.ts';

type Values = Readonly<Record<string, string | readonly string[]>>;
type Modification = readonly [operation: 'add' | 'delete' | 'replace', type: string, ...values: string[]];

type Operation =
  | { readonly add: string; readonly values: Values }
  | { readonly modify: string; readonly by: readonly Modification[] }
  | { readonly rename: string; readonly to: string }
  | { readonly remove: string };

/** `ours`: the code that we answer where slapd answers another one, and why. */
type Case = Operation & { readonly code: number; readonly ours?: readonly [code: number, why: string] };

const T = 'ou=T,o=internet';
const person = { objectClass: ['person'], cn: 'a', sn: 'a' };
const user = {
  objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser', 'inetLocalMailRecipient'],
  uid: 'u',
  cn: 'u',
  sn: 'u',
};
const LEGAL = 'slapd knows the syntax alone';

const cases: readonly Case[] = [
  { add: T, values: { objectClass: 'organizationalUnit', ou: 'T' }, code: 0 },
  // Classes.
  { add: `cn=a,${T}`, values: { cn: 'a' }, code: 65 },
  { add: `cn=a,${T}`, values: { objectClass: 'noSuchClass', cn: 'a' }, code: 21 },
  { add: `cn=a,${T}`, values: { objectClass: ['person', 'noSuchClass'], cn: 'a', sn: 'a' }, code: 21 },
  { add: `cn=a,${T}`, values: { objectClass: 'top', cn: 'a' }, code: 65 },
  { add: `cn=a,${T}`, values: { objectClass: ['top', 'inetUser'], cn: 'a' }, code: 65 },
  { add: `cn=a,${T}`, values: { objectClass: ['person', 'device'], cn: 'a', sn: 'a' }, code: 65 },
  { add: `cn=a,${T}`, values: { objectClass: ['person', 'organizationalUnit'], cn: 'a', sn: 'a', ou: 'a' }, code: 65 },
  { add: `cn=a,${T}`, values: { objectClass: 'person', cn: 'a' }, code: 65 },
  { add: `cn=a,${T}`, values: { objectClass: 'person', sn: 'a' }, code: 0 },
  { remove: `cn=a,${T}`, code: 0 },
  // Attributes.
  { add: `cn=a,${T}`, values: { ...person, noSuchAttribute: 'x' }, code: 17 },
  { add: `cn=a,${T}`, values: { ...person, mail: 'a@acme.example' }, code: 65 },
  { add: `cn=a,${T}`, values: { ...person, givenName: 'x' }, code: 65 },
  { add: `cn=a,${T}`, values: { ...person, mailUserStatus: 'active' }, code: 65 },
  { add: `cn=a,${T}`, values: { ...person, 'description;lang-fr': 'un' }, code: 0 },
  { modify: `cn=a,${T}`, by: [['add', 'mail', 'a@acme.example']], code: 65 },
  { modify: `cn=a,${T}`, by: [['add', 'telephoneNumber', '+1 555 0100']], code: 0 },
  { modify: `cn=a,${T}`, by: [['delete', 'sn']], code: 65 },
  { modify: `cn=a,${T}`, by: [['replace', 'sn']], code: 65 },
  { modify: `cn=a,${T}`, by: [['replace', 'sn', 'b']], code: 0 },
  {
    modify: `cn=a,${T}`,
    by: [
      ['delete', 'sn'],
      ['add', 'sn', 'c'],
    ],
    code: 0,
  },
  // Structural classes.
  { modify: `cn=a,${T}`, by: [['replace', 'objectClass', 'device']], code: 69, ours: [65, 'sn is looked at first'] },
  { modify: `cn=a,${T}`, by: [['replace', 'objectClass', 'organizationalPerson']], code: 69 },
  { modify: `cn=a,${T}`, by: [['add', 'objectClass', 'inetOrgPerson']], code: 69 },
  { modify: `cn=a,${T}`, by: [['replace', 'objectClass', 'top']], code: 65 },
  { modify: `cn=a,${T}`, by: [['add', 'objectClass', 'noSuchClass']], code: 21 },
  { modify: `cn=a,${T}`, by: [['delete', 'objectClass']], code: 65 },
  { modify: `cn=a,${T}`, by: [['add', 'objectClass', 'simpleSecurityObject']], code: 65 },
  {
    modify: `cn=a,${T}`,
    by: [
      ['add', 'objectClass', 'labeledURIObject'],
      ['add', 'labeledURI', 'http://a/'],
    ],
    code: 0,
  },
  { modify: `cn=a,${T}`, by: [['delete', 'objectClass', 'labeledURIObject']], code: 65 },
  {
    modify: `cn=a,${T}`,
    by: [
      ['delete', 'labeledURI'],
      ['delete', 'objectClass', 'labeledURIObject'],
    ],
    code: 0,
  },
  {
    modify: `cn=a,${T}`,
    by: [
      ['add', 'objectClass', 'extensibleObject'],
      ['add', 'mailHost', 'a'],
    ],
    code: 0,
  },
  { modify: `cn=a,${T}`, by: [['delete', 'objectClass', 'extensibleObject']], code: 65 },
  // Names.
  { rename: `cn=a,${T}`, to: `cn=b,${T}`, code: 0 },
  { rename: `cn=b,${T}`, to: `description=b,${T}`, code: 65 },
  { rename: `cn=b,${T}`, to: `noSuchAttribute=b,${T}`, code: 34, ours: [17, 'a name may be well formed and unknown'] },
  { modify: `cn=b,${T}`, by: [['delete', 'cn', 'b']], code: 64, ours: [67, 'notAllowedOnRDN: RFC 4511 §4.6'] },
  { add: `uid=x,${T}`, values: { ...person, cn: 'x', uid: 'x' }, code: 65 },
  // Users and lists with our classes.
  { add: `uid=u,${T}`, values: { ...user, mail: 'u@acme.example', mailQuota: '1M' }, code: 0 },
  { add: `uid=v,${T}`, values: { ...user, uid: 'v', mgrpErrorsTo: 'a@b.example' }, code: 65 },
  { modify: `uid=u,${T}`, by: [['add', 'mailUserStatus', 'active']], code: 0 },
  { modify: `uid=u,${T}`, by: [['add', 'mailUserStatus', 'inactive']], code: 19 },
  { modify: `uid=u,${T}`, by: [['replace', 'mailUserStatus', 'sleeping']], code: 0, ours: [21, LEGAL] },
  { modify: `uid=u,${T}`, by: [['replace', 'mailUserStatus', 'hold']], code: 0 },
  { modify: `uid=u,${T}`, by: [['replace', 'mailQuota', 'much']], code: 0, ours: [21, LEGAL] },
  { modify: `uid=u,${T}`, by: [['replace', 'mailQuota', '2G']], code: 0 },
  { modify: `uid=u,${T}`, by: [['replace', 'mail', 'no address']], code: 0, ours: [21, LEGAL] },
  { modify: `uid=u,${T}`, by: [['replace', 'mail', 'u@acme.example']], code: 0 },
  { modify: `uid=u,${T}`, by: [['delete', 'objectClass', 'inetMailUser']], code: 65 },
  {
    modify: `uid=u,${T}`,
    by: [
      ['delete', 'objectClass', 'inetMailUser'],
      ['delete', 'mailQuota'],
      ['delete', 'mailUserStatus'],
    ],
    code: 0,
  },
  {
    add: `cn=l,${T}`,
    values: { objectClass: ['groupOfUniqueNames', 'inetMailGroup'], cn: 'l', uniqueMember: T },
    code: 0,
  },
  { add: `cn=n,${T}`, values: { objectClass: 'groupOfNames', cn: 'n' }, code: 65, ours: [0, 'a list may be empty'] },
  { remove: `cn=n,${T}`, code: 32, ours: [0, 'a list may be empty'] },
  { add: `cn=n,${T}`, values: { objectClass: 'groupOfNames', cn: 'n', member: T }, code: 0 },
  { add: `dc=d,${T}`, values: { objectClass: ['domain', 'mailDomain'], dc: 'd', mailDomainStatus: 'active' }, code: 0 },
  { modify: `dc=d,${T}`, by: [['add', 'inetDomainStatus', 'active']], code: 65 },
  { add: `cn=h,${T}`, values: { objectClass: 'waypostChannel', cn: 'h' }, code: 65 },
];

interface Side {
  readonly client: Client;
  readonly admin: string;
}

async function codeOf(client: Client, operation: Operation): Promise<number> {
  try {
    if ('add' in operation) await client.add(operation.add, operation.values as Record<string, string | string[]>);
    else if ('modify' in operation)
      await client.modify(
        operation.modify,
        operation.by.map(
          ([kind, type, ...values]) =>
            new Change({ operation: kind, modification: new Attribute({ type, values: [...values] }) }),
        ),
      );
    else if ('rename' in operation) await client.modifyDN(operation.rename, operation.to);
    else await client.del(operation.remove);
    return 0;
  } catch (error) {
    if (error instanceof ResultCodeError) return error.code;
    throw error;
  }
}

/** By DN: attributes with values sorted; of classes those that slapd has, as it does not write superclasses in. */
async function entries(client: Client): Promise<Map<string, Record<string, string[]>>> {
  const { searchEntries } = await client.search(T, { scope: 'sub' });
  const found = new Map<string, Record<string, string[]>>();
  for (const { dn, ...attributes } of searchEntries) {
    const all = Object.entries(attributes).map(([name, value]) => [name, [value].flat().map(String).sort()] as const);
    found.set(dn.toLowerCase(), Object.fromEntries(all));
  }
  return found;
}

async function sideOf(url: string, admin: string, password: string): Promise<Side> {
  const client = new Client({ url, timeout: 120_000 });
  await client.bind(admin, password);
  return { client, admin };
}

const launcher = resolve(import.meta.dirname, '..', 'waypost');

async function cli(...words: readonly string[]): Promise<{ readonly code: number | null; readonly stdout: string }> {
  const child = spawn(launcher, [...words, '--data', waypost.data], { stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout };
}

let waypost: Waypost;
before(async () => {
  waypost = await startWaypost();
});
after(() => waypost?.stop());

const missing = peersMissing('slapd');
describe('beside slapd', { skip: missing }, () => {
  let slapd: Slapd;
  let ours: Side;
  let theirs: Side;
  before(async () => {
    const { stdout } = await cli('directory', 'export', '--schema');
    slapd = await startSlapd({ schema: stdout });
    theirs = await sideOf(slapd.url, slapd.admin, slapd.password);
    ours = await sideOf(waypost.ldap.url, waypost.ldap.bindDn, waypost.ldap.password);
  });
  after(async () => {
    await theirs?.client.unbind();
    await ours?.client.unbind();
    await slapd?.stop();
  });

  test('the same changes get the same results, but for those named here', async () => {
    const differing: string[] = [];
    for (const each of cases) {
      const { code, ours: exception } = each;
      const [there, here] = [await codeOf(theirs.client, each), await codeOf(ours.client, each)];
      if (there === code && here === (exception?.[0] ?? code)) continue;
      differing.push(`slapd ${there}, Waypost ${here}: ${JSON.stringify(each)}`);
    }
    assert.deepEqual(differing, []);
  });

  test('and leave the same entries', async () => {
    const [here, there] = [await entries(ours.client), await entries(theirs.client)];
    assert.deepEqual([...here.keys()].sort(), [...there.keys()].sort());
    for (const [dn, attributes] of there) {
      const { objectClass = [], ...rest } = attributes;
      const { objectClass: classes = [], ...own } = here.get(dn)!;
      assert.deepEqual(own, rest, dn);
      assert.ok(
        objectClass.every((name) => classes.includes(name)),
        `${dn}: ${classes} for ${objectClass}`,
      );
    }
  });
});

describe('definitions of a site', () => {
  const clients: Client[] = [];
  const open = async (): Promise<Client> => {
    const { client } = await sideOf(waypost.ldap.url, waypost.ldap.bindDn, waypost.ldap.password);
    clients.push(client);
    return client;
  };
  after(() => Promise.all(clients.map((client) => client.unbind())));

  const TYPE =
    "( 1.3.6.1.4.1.99999.1.1 NAME ( 'shoeSize' 'shoe' ) DESC 'of a person' EQUALITY integerMatch " +
    'SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )';
  const CLASS =
    "( 1.3.6.1.4.1.99999.2.1 NAME 'shoePerson' DESC 'a person' SUP inetOrgPerson STRUCTURAL MUST shoeSize MAY info )";
  const change = (client: Client, dn: string, ...by: Modification[]): Promise<number> =>
    codeOf(client, { modify: dn, by });
  const wearer = (uid: string) => ({
    add: `uid=${uid},o=internet`,
    values: { objectClass: 'shoePerson', uid, cn: uid, sn: uid, shoeSize: '42' },
  });

  test('are refused where they build on nothing, take a name or change what is built in', async () => {
    const client = await open();
    const type = (rest: string): Promise<number> =>
      change(client, 'cn=Subschema', ['add', 'attributeTypes', `( 1.3.6.1.4.1.99999.1.9 NAME 'x9' ${rest} )`]);
    const SYNTAX = 'SYNTAX 1.3.6.1.4.1.1466.115.121.1.15';
    assert.deepEqual(
      [
        await type('SYNTAX 1.3.6.1.4.1.99999.0'),
        await type(`EQUALITY noSuchRule ${SYNTAX}`),
        await type(`EQUALITY integerMatch ${SYNTAX}`),
        await type('SUP noSuchType'),
        await type(''),
        await type(`${SYNTAX} NONSENSE`),
        await change(client, 'cn=Subschema', [
          'add',
          'attributeTypes',
          `( 1.3.6.1.4.1.99999.1.9 NAME 'MAIL' ${SYNTAX} )`,
        ]),
        await change(client, 'cn=Subschema', ['add', 'attributeTypes', `( 2.5.4.3 NAME 'x9' ${SYNTAX} )`]),
        await change(client, 'cn=Subschema', [
          'add',
          'objectClasses',
          "( 1.3.6.1.4.1.99999.2.9 NAME 'x9' SUP top MAY noSuchType )",
        ]),
      ],
      [21, 21, 21, 21, 21, 21, 21, 21, 21],
    );
    assert.deepEqual(
      [
        await change(client, 'cn=Subschema', ['delete', 'attributeTypes', '( 2.5.4.3 )']),
        await change(client, 'cn=Subschema', ['delete', 'attributeTypes']),
        await change(client, 'cn=Subschema', ['replace', 'objectClasses', CLASS]),
        await change(client, 'cn=Subschema', ['replace', 'cn', 'x']),
        await change(client, 'cn=Subschema', ['delete', 'attributeTypes', TYPE]),
      ],
      [53, 53, 53, 53, 16],
    );
  });

  test("are known to each connection's next operation, and found by an index", async () => {
    const others = await Promise.all(Array.from({ length: 8 }, open));
    for (const client of others) assert.equal(await codeOf(client, wearer('before')), 21);
    const code = await change(
      others[0]!,
      'cn=schema',
      ['add', 'attributeTypes', TYPE],
      ['add', 'objectClasses', CLASS],
    );
    assert.equal(code, 0);
    assert.deepEqual(
      await Promise.all(others.map((client, index) => codeOf(client, wearer(`shoe${index}`)))),
      others.map(() => 0),
    );
    for (const client of others) {
      const { searchEntries } = await client.search('o=internet', { filter: '(shoe=042)' });
      assert.equal(searchEntries.length, 0, 'no integer');
      const found = await client.search('o=internet', { filter: '(SHOE=42)', attributes: ['shoeSize'] });
      assert.equal(found.searchEntries.length, others.length);
      assert.equal(found.searchEntries[0]!['shoeSize'], '42');
    }
    assert.equal(
      await codeOf(others[1]!, { add: 'uid=x,o=internet', values: { ...wearer('x').values, shoeSize: 'x' } }),
      21,
    );
    const published = await others[2]!.search('cn=schema', { scope: 'base', attributes: ['attributeTypes'] });
    assert.match(JSON.stringify(published.searchEntries), /NAME \( 'shoeSize' 'shoe' \)/);
    assert.match((await cli('directory', 'export', '--schema')).stdout, /objectclass .*'shoePerson'/);
  });

  test('survive a restart, and stay while they are in use', async () => {
    for (const client of clients.splice(0)) await client.unbind();
    await waypost.restart({ config: '[directory]\nsuffix = ["o=internet", "o=isp", "dc=corp,dc=example"]\n' });
    const client = await open();
    assert.equal(await codeOf(client, wearer('after')), 0);
    const remove = (): Promise<number> =>
      change(client, 'cn=Subschema', ['delete', 'objectClasses', CLASS], ['delete', 'attributeTypes', TYPE]);
    assert.equal(await change(client, 'cn=Subschema', ['delete', 'attributeTypes', TYPE]), 53);
    assert.equal(await remove(), 53);
    assert.equal(await codeOf(client, { remove: 'cn=Schema,ou=Waypost,o=internet' }), 53);
    for (const { dn } of (await client.search('o=internet', { filter: '(shoe=*)' })).searchEntries)
      assert.equal(await codeOf(client, { remove: dn }), 0);
    assert.equal(await remove(), 0);
    assert.equal(await codeOf(client, wearer('later')), 21);
  });
});

test('further suffixes are made at the start; the first is always the same', async () => {
  const { client } = await sideOf(waypost.ldap.url, waypost.ldap.bindDn, waypost.ldap.password);
  try {
    const root = await client.search('', { scope: 'base', attributes: ['namingContexts'] });
    assert.deepEqual(root.searchEntries[0]!['namingContexts'], ['o=internet', 'o=isp', 'dc=corp,dc=example']);
    const people = { add: 'ou=People,dc=corp,dc=example', values: { objectClass: 'organizationalUnit' } };
    assert.equal(await codeOf(client, people), 0);
    assert.equal(await codeOf(client, { remove: 'o=isp' }), 53);
  } finally {
    await client.unbind();
  }
  await assert.rejects(
    waypost.restart({ config: '[directory]\nsuffix = ["o=isp"]\n' }),
    /the first is o=internet since this store was made/,
  );
});
