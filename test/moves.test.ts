// Moves and renames through a started server: a subtree over LDAP as with slapd, another address, another name for a domain,
// which a kill in the middle does not stop.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { RawClient } from '../src/protocols/ldap/testing.ts';
import { parseFilter } from '../src/wire/ldap/filter-text.ts';
import type { LdapRequest } from '../src/wire/ldap/message.ts';
import { startSlapd } from './sessions/ldap/slapd.ts';
import { addDomain, addUser, administrator, domainDn, PASSWORD, userAttributes, userDn } from './support/directory.ts';
import { mutated } from './support/mutate.ts';
import { peersMissing } from './support/peers.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const run = promisify(execFile);
const OPERATIONS = Number(process.env['LDAP_OPERATIONS'] ?? 300);
/** Enough for several slices. */
const PEOPLE = 1200;

let server: Waypost;
before(async () => {
  server = await startWaypost();
});
after(() => server?.stop());

/** What a command prints as JSON. */
async function waypost(...words: readonly string[]) {
  return JSON.parse((await run('./waypost', [...words, '--json', '--data', server.data])).stdout);
}

/** The codes of RCPT. */
async function rcpt(...addresses: readonly string[]): Promise<number[]> {
  const client = await SmtpClient.open(server.listeners.smtp);
  try {
    const codes: number[] = [];
    await client.command('MAIL FROM:<>');
    for (const address of addresses) codes.push((await client.command(`RCPT TO:<${address}>`)).code);
    return codes;
  } finally {
    client.destroy();
  }
}

async function messagesOf(login: string): Promise<number> {
  const client = await ImapClient.login(server.listeners.imap, login, PASSWORD);
  try {
    return await client.count();
  } finally {
    await client.logout();
  }
}

const send = async (address: string): Promise<void> => {
  const client = await SmtpClient.open(server.listeners.smtp);
  const reply = await client.send('x@remote.example', [address], Buffer.from('Subject: x\r\n\r\nx\r\n'));
  client.destroy();
  assert.equal(reply.code, 250);
};

test('ldapmodrdn moves a base with its people, who keep mail, password and lists', {
  skip: peersMissing('ldapmodify'),
}, async () => {
  const client = await administrator(server);
  await client.add('o=Old,o=internet', { objectClass: 'organization', o: 'Old' });
  await client.add('o=Firm,o=Old,o=internet', { objectClass: 'organization', o: 'Firm' });
  await addDomain(client, 'firm.example', { inetDomainBaseDN: 'o=Firm,o=Old,o=internet' });
  const { objectClass, uid, cn, sn, userPassword } = userAttributes('ann@firm.example');
  const ann = {
    objectClass: objectClass!,
    uid: uid!,
    cn: cn!,
    sn: sn!,
    userPassword: userPassword!,
    mail: 'ann@firm.example',
  };
  await client.add('uid=ann,o=Firm,o=Old,o=internet', ann);
  await client.add('cn=all,o=Firm,o=Old,o=internet', {
    objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
    cn: 'all',
    mail: 'all@firm.example',
    uniqueMember: 'uid=ann,o=Firm,o=Old,o=internet',
  });
  await send('all@firm.example');
  await until('the message', async () => (await messagesOf('ann@firm.example')) === 1);
  const { url, bindDn, password } = server.ldap;
  const words = ['-x', '-H', url, '-D', bindDn, '-w', password];
  await run('ldapmodrdn', [...words, '-r', '-s', 'o=internet', 'o=Firm,o=Old,o=internet', 'o=Firm2']);
  assert.equal(await messagesOf('ann@firm.example'), 1);
  await send('all@firm.example');
  await until('the second one', async () => (await messagesOf('ann@firm.example')) === 2);
  const { searchEntries } = await client.search('o=Firm2,o=internet', { filter: '(cn=all)' });
  assert.deepEqual(searchEntries[0]?.['uniqueMember'], 'uid=ann,o=Firm2,o=internet');
  // A move that would take her address.
  await assert.rejects(
    run('ldapmodrdn', [...words, '-r', '-s', 'o=Old,o=internet', 'uid=ann,o=Firm2,o=internet', 'uid=ann']),
    ({ stdout, stderr }: { stdout: string; stderr: string }) => {
      assert.match(stdout + stderr, /\(53\)/);
      assert.match(stdout + stderr, /ann@firm\.example/);
      return true;
    },
  );
  await client.unbind();
});

test('waypost user move: one commit, and the mailbox is that of before', async () => {
  const client = await administrator(server);
  await addDomain(client, 'here.example');
  await addDomain(client, 'there.example');
  await addUser(client, 'eve@here.example');
  await client.unbind();
  await send('eve@here.example');
  await until('the message', async () => (await messagesOf('eve@here.example')) === 1);
  const moved = await waypost('user', 'move', 'eve@here.example', 'eva@there.example');
  assert.equal(moved.dryRun, false);
  assert.equal(await messagesOf('eva@there.example'), 1);
  assert.deepEqual(await rcpt('eva@there.example', 'eve@here.example'), [250, 550]);
});

test('waypost domain rename: kill -9 between two slices, and both names deliver from then on to all', {
  timeout: 280_000,
}, async () => {
  const client = await administrator(server);
  await addDomain(client, 'acme.example');
  const name = (n: number): string => `u${n}`;
  for (let from = 0; from < PEOPLE; from += 100)
    await Promise.all(Array.from({ length: 100 }, (_, n) => addUser(client, `${name(from + n)}@acme.example`)));
  await client.unbind();
  const rehearsed = await waypost('domain', 'rename', 'acme.example', 'neu.example', '--dry-run');
  assert.deepEqual(rehearsed, {
    ...{ from: 'acme.example', to: 'neu.example', entries: PEOPLE, done: false, dryRun: true, kept: [] },
  });
  assert.deepEqual(await rcpt('u0@neu.example'), [550]);
  const noted = 'for (const dn of slice.kept) kept.add(dn);';
  const dies = `${noted} if (rename.entries > 0) process.kill(process.pid, 'SIGKILL');`;
  await server.restart({ env: mutated({ file: 'src/provisioning/domain-rename/renames.ts', from: noted, to: dies }) });
  const renaming = run('./waypost', ['domain', 'rename', 'acme.example', 'neu.example', '--data', server.data]);
  const ended = renaming.catch(() => undefined);
  assert.equal((await server.exited()).signal, 'SIGKILL');
  await ended;
  const renamed = renamedPeople();
  // Nodes are among the entries of a slice.
  assert.ok(renamed > 0 && renamed <= 500, `${renamed}: the first slice, and no other`);
  await server.restart({ env: {} });
  const some = [0, 1, 499, 500, 501, 777, PEOPLE - 1].map(name);
  for (let done = false; !done; ) {
    assert.deepEqual(
      await rcpt(...some.flatMap((each) => [`${each}@acme.example`, `${each}@neu.example`])),
      some.flatMap(() => [250, 250]),
    );
    const again = await administrator(server);
    const { searchEntries } = await again.search(domainDn('neu.example'), { scope: 'base', attributes: ['+'] });
    done = searchEntries[0]?.['waypostRenamedFrom'] === undefined;
    await again.unbind();
  }
  const last = await administrator(server);
  const { searchEntries } = await last.search(domainDn('acme.example'), {
    filter: '(mail=*@neu.example)',
    attributes: ['mail', 'mailAlternateAddress'],
  });
  assert.equal(searchEntries.length, PEOPLE);
  for (const { mail, mailAlternateAddress } of searchEntries)
    assert.equal(mailAlternateAddress, String(mail).replace('neu', 'acme'));
  const removed = await waypost('domain', 'remove', 'acme.example');
  assert.equal(removed.dryRun, false);
  assert.deepEqual(await rcpt('u1@neu.example'), [250]);
  assert.deepEqual(
    (await rcpt('u1@acme.example')).map((code) => code >= 500),
    [true],
  );
  const { searchEntries: nodes } = await last.search(domainDn('acme.example'), {
    scope: 'base',
    attributes: ['objectClass'],
  });
  assert.deepEqual(nodes[0]?.['objectClass'], ['domain', 'top']);
  assert.ok((await last.search(userDn('u1@acme.example'), { scope: 'base' })).searchEntries.length === 1);
  await last.unbind();
  await assert.rejects(
    waypost('domain', 'rename', 'nowhere.example', 'x.example'),
    /nowhere\.example is not a mail domain here/,
  );
});

/** Of a server that does not run. */
function renamedPeople(): number {
  const database = new DatabaseSync(join(server.data, 'store.db'), { readOnly: true });
  try {
    const row = database.prepare("SELECT count(*) AS count FROM dit WHERE attributes LIKE '%@neu.example%'").get();
    return Number(row?.['count']);
  } finally {
    database.close();
  }
}

// Beside slapd.

const TOP = 'ou=moves,o=internet';
const rdn = fc.constantFrom('cn=n1', 'cn=n2', 'cn=N2', 'cn=n3');
const dn = fc.oneof(
  { weight: 3, arbitrary: rdn.map((one) => `${one},${TOP}`) },
  { weight: 3, arbitrary: fc.tuple(rdn, rdn).map(([a, b]) => `${a},${b},${TOP}`) },
  { weight: 1, arbitrary: fc.tuple(rdn, rdn, rdn).map(([a, b, c]) => `${a},${b},${c},${TOP}`) },
);
const operation: fc.Arbitrary<LdapRequest> = fc.oneof(
  {
    weight: 3,
    arbitrary: dn.map(
      (name): LdapRequest => ({
        kind: 'add',
        dn: name,
        attributes: [
          { name: 'objectClass', values: ['person'] },
          { name: 'cn', values: [name.slice(3, name.indexOf(','))] },
          { name: 'sn', values: ['x'] },
        ],
      }),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('modifyDn' as const),
      dn,
      newRdn: rdn,
      deleteOldRdn: fc.boolean(),
      newSuperior: fc.option(fc.oneof(dn, fc.constant(TOP)), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: dn.map((name): LdapRequest => ({ kind: 'delete', dn: name })) },
);

/**
 * slapd says 53 of these whether the entries are there or not: below itself, and to the name of an entry that it is below,
 * which is 68 here.
 */
function isOfItself(request: LdapRequest): boolean {
  if (request.kind !== 'modifyDn') return false;
  const own = request.dn.toLowerCase();
  const superior = (request.newSuperior ?? request.dn.slice(request.dn.indexOf(',') + 1)).toLowerCase();
  const to = `${request.newRdn.toLowerCase()},${superior}`;
  return `,${superior}`.endsWith(`,${own}`) || (own !== to && own.endsWith(`,${to}`));
}

async function codeOf(client: RawClient, request: LdapRequest): Promise<number> {
  client.request(request, []);
  const answer = await client.response();
  assert.ok(answer !== undefined && 'result' in answer.operation);
  return answer.operation.result.resultCode;
}

async function contents(client: RawClient): Promise<string[]> {
  client.request(
    {
      kind: 'search',
      baseObject: TOP,
      scope: 'sub',
      derefAliases: 'never',
      sizeLimit: 0,
      timeLimit: 0,
      typesOnly: false,
      filter: parseFilter('(objectClass=person)'),
      attributes: ['cn'],
    },
    [],
  );
  const found: string[] = [];
  for (;;) {
    const next = await client.response();
    assert.ok(next !== undefined);
    if (next.operation.kind !== 'searchEntry') return found.sort();
    const { dn: name, attributes } = next.operation;
    found.push(
      `${name} ${attributes
        .flatMap(({ values }) => values.map(String))
        .sort()
        .join(' ')}`,
    );
  }
}

test('random renames and moves of subtrees are those of slapd', {
  skip: peersMissing('slapd', 'ldapadd'),
}, async () => {
  const slapd = await startSlapd();
  const [ours, theirs] = [
    await RawClient.open(server.listeners.ldap.port),
    await RawClient.open(Number(new URL(slapd.url).port)),
  ];
  try {
    assert.equal(await ours.bind('cn=Directory Manager', server.ldap.password), 0);
    assert.equal(await theirs.bind(slapd.admin, slapd.password), 0);
    const top: LdapRequest = {
      kind: 'add',
      dn: TOP,
      attributes: [
        { name: 'objectClass', values: ['organizationalUnit'] },
        { name: 'ou', values: ['moves'] },
      ],
    };
    for (const client of [ours, theirs]) assert.equal(await codeOf(client, top), 0);
    const seed = Number(process.env['LDAP_SEED'] ?? 20261127);
    const codes = new Map<string, number>();
    for (const request of fc.sample(
      operation.filter((each) => !isOfItself(each)),
      { numRuns: OPERATIONS, seed },
    )) {
      const [own, other] = [await codeOf(ours, request), await codeOf(theirs, request)];
      // An error of its own, in a long run: from then on the trees differ.
      if (other === 80) break;
      assert.equal(own, other, JSON.stringify(request));
      codes.set(`${request.kind} ${own}`, (codes.get(`${request.kind} ${own}`) ?? 0) + 1);
      assert.deepEqual(await contents(ours), await contents(theirs), JSON.stringify(request));
    }
    for (const each of ['modifyDn 0', 'modifyDn 32', 'modifyDn 68', 'delete 66', 'add 68'])
      assert.ok(codes.has(each), `no ${each} among ${JSON.stringify([...codes])}`);
  } finally {
    ours.socket.destroy();
    theirs.socket.destroy();
    await slapd.stop();
  }
});
