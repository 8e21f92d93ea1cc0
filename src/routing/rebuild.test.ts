// What a start makes of tables that another version of the compiler has left.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rebuildDerived } from '../database/derived.ts';
import { operation, type Writer } from '../database/operation.ts';
import {
  add,
  addDomain,
  addGroup,
  addUser,
  domainDn,
  groupDn,
  openTestDirectory,
  replace,
  type TestDirectory,
  userDn,
} from '../provisioning/testing.ts';
import { readState } from './generation.ts';
import { beginRebuild, finishRebuild, rebuildSlice, routingTables, synchronizeFully } from './rebuild.ts';
import { readProblems } from './table-contents.ts';
import { readTables } from './testing.ts';

/** As an older compiler may have left them: rows that are missing, wrong and too many. */
const spoil = operation('test.spoil', async (tx, _args: null) => {
  await tx.run("DELETE FROM alias WHERE address = 'ann@acme.example'");
  await tx.run("UPDATE alias_entry SET row = json_set(row, '$.mailUserStatus', 'deleted') WHERE dn LIKE 'uid=ben%'");
  await tx.run("UPDATE route SET base = 'o=internet' WHERE domain = 'b.test'");
  await tx.run(
    "INSERT INTO route SELECT tenant, generation, 'gone.example', base, row, revision, problems FROM route LIMIT 1",
  );
});

const setVersion = operation('test.setVersion', async (tx, version: number) => {
  await tx.run("UPDATE derived SET version = ? WHERE name = 'routing'", version);
});

async function populated(): Promise<TestDirectory> {
  const directory = await openTestDirectory();
  await directory.apply(
    addDomain('acme.example'),
    addDomain('b.test'),
    ...['ann', 'ben', 'cid'].map((name) => addUser(`${name}@acme.example`)),
    addUser('dora@b.test'),
    addGroup('all@b.test', [userDn('ann@acme.example')]),
  );
  return directory;
}

function version(directory: TestDirectory): unknown {
  return directory.reader.get("SELECT version FROM derived WHERE name = 'routing'")?.['version'];
}

async function start(directory: TestDirectory, ofCompiler: number, writer: Writer = directory.writer) {
  const said: string[] = [];
  const { reader } = directory;
  await rebuildDerived({ reader, writer, derived: [routingTables(ofCompiler)], say: (line) => said.push(line) });
  return said;
}

test('another version, a lower one too: every row is what today’s compiler makes, and it is said how far it is', async () => {
  const directory = await populated();
  const right = readTables(directory.reader);
  const { n: entries } = directory.reader.get('SELECT count(*) AS n FROM dit')!;
  for (const [stored, ofCompiler] of [
    [1, 2],
    [2, 7],
    [7, 3],
  ] as const) {
    await directory.writer.execute(setVersion, stored);
    await directory.writer.execute(spoil, null);
    assert.notDeepEqual(readTables(directory.reader), right);
    const said = await start(directory, ofCompiler);
    assert.deepEqual(readTables(directory.reader), right);
    assert.equal(version(directory), ofCompiler);
    assert.deepEqual(
      said.at(-1),
      `compiling routing (version ${stored} to ${ofCompiler}): ${entries} of ${entries} entries`,
    );
    const { generation } = readState(directory.reader);
    const others =
      'SELECT (SELECT count(*) FROM alias WHERE generation <> ?1) + (SELECT count(*) FROM route WHERE generation <> ?1) AS n';
    assert.equal(directory.reader.get(others, generation)?.['n'], 0, 'the rows of the old generation are gone');
  }
  directory.close();
});

test('the same version: nothing is read or written', async () => {
  const directory = await populated();
  await directory.writer.execute(spoil, null);
  const left = readTables(directory.reader);
  assert.deepEqual(await start(directory, 1), []);
  assert.deepEqual(readTables(directory.reader), left);
  directory.close();
});

test('a crash between any two transactions: the old rows answer, and the next start begins anew', async () => {
  const directory = await populated();
  const right = readTables(directory.reader);
  for (const crashing of [beginRebuild, rebuildSlice, finishRebuild]) {
    await directory.writer.execute(setVersion, 1);
    await directory.writer.execute(spoil, null);
    const left = readTables(directory.reader);
    const writer: Writer = {
      execute: (called, args) =>
        called.name === crashing.name ? Promise.reject(new Error('crashed')) : directory.writer.execute(called, args),
    };
    await assert.rejects(start(directory, 2, writer), /crashed/);
    assert.deepEqual(
      [readTables(directory.reader), version(directory)],
      [left, 0],
      'no program takes these for its own',
    );
    await start(directory, 2);
    assert.deepEqual([readTables(directory.reader), version(directory)], [right, 2]);
  }
  directory.close();
});

test('an address that two entries claim by today’s compiler stays with the one that has it, and the other names it', async () => {
  const directory = await populated();
  // The entry that claims it too is the older one: its row, made by another compiler, does not name the address.
  const claims = operation('test.claim', async (tx, _args: null) => {
    await tx.run("UPDATE dit SET attributes = replace(attributes, 'ben@acme', 'cid@acme') WHERE path LIKE '%uid=ben,'");
    await tx.run("DELETE FROM alias WHERE address = 'ben@acme.example'");
  });
  await directory.writer.execute(claims, null);
  await start(directory, 2);
  const holder = directory.reader.get("SELECT dn FROM alias WHERE address = 'cid@acme.example'");
  assert.equal(holder?.['dn'], 'uid=cid,ou=people,dc=acme,dc=example,o=internet');
  assert.deepEqual(readProblems(directory.reader), [
    {
      dn: userDn('ben@acme.example'),
      problems: [
        {
          attribute: 'mail',
          value: 'cid@acme.example',
          reason: `is an address of ${userDn('cid@acme.example')}`,
        },
      ],
    },
  ]);
  // Its other attributes change as those of any entry, also together with its domain, and nobody else gets in.
  const problems = readProblems(directory.reader);
  await directory.apply(replace(userDn('ben@acme.example'), { description: 'x', userPassword: 'new' }));
  await directory.apply(replace(domainDn('acme.example'), { inetDomainBaseDN: 'o=internet' }));
  assert.deepEqual(readProblems(directory.reader), problems);
  await assert.rejects(directory.apply(replace(userDn('ann@acme.example'), { mail: 'cid@acme.example' })), /in use/);
  await directory.apply(replace(userDn('ben@acme.example'), { mail: 'ben@acme.example' }));
  assert.deepEqual(readProblems(directory.reader), []);
  directory.close();
});

for (const [what, moved] of [
  ['the one that does not have it', replace(userDn('cid@acme.example'), { description: 'x' })],
  ['the domain of both', replace(domainDn('acme.example'), { inetDomainBaseDN: 'o=internet' })],
] as const)
  test(`an address that two entries claim, and a change of ${what} while all is compiled anew: it stays where it is`, async () => {
    const directory = await populated();
    const claim = operation('test.claim-both', async (tx, _args: null) => {
      await tx.run(
        "UPDATE dit SET attributes = replace(attributes, 'cid@acme', 'ben@acme') WHERE path LIKE '%uid=cid,'",
      );
      await tx.run("DELETE FROM alias WHERE address = 'cid@acme.example'");
    });
    await directory.writer.execute(claim, null);
    await start(directory, 2);
    const holder = (): unknown =>
      directory.reader.get(
        "SELECT dn FROM alias WHERE address = 'ben@acme.example' AND generation = (SELECT generation FROM routing_state)",
      )?.['dn'];
    const right = holder();
    assert.equal(right, 'uid=ben,ou=people,dc=acme,dc=example,o=internet');
    const problems = readProblems(directory.reader);
    let isMoved = false;
    // The new generation has its domains by then, and none of the people.
    const writer: Writer = {
      async execute(called, args) {
        if (called.name === rebuildSlice.name && !isMoved) {
          isMoved = true;
          await directory.apply(moved);
        }
        return directory.writer.execute(called, args);
      },
    };
    const steps = synchronizeFully(writer);
    while ((await steps.next()).done !== true);
    assert.ok(isMoved);
    assert.equal(holder(), right);
    assert.deepEqual(readProblems(directory.reader), problems);
    directory.close();
  });

test('access rules from before they counted: those that do not parse are named', async () => {
  const directory = await populated();
  const store = operation('test.store-rules', async (tx, _args: null) => {
    const added = `json_insert(attributes, '$[#]', json('["mailAllowedServiceAccess",["+imap:LOCAL"]]'))`;
    await tx.run(`UPDATE dit SET attributes = ${added} WHERE path LIKE '%uid=ben,'`);
  });
  await directory.writer.execute(store, null);
  assert.deepEqual(readProblems(directory.reader), []);
  await start(directory, 3);
  const [problem, ...more] = readProblems(directory.reader);
  assert.deepEqual([problem?.dn, more.length], [userDn('ben@acme.example'), 0]);
  assert.match(
    JSON.stringify(problem?.problems),
    /"mailAllowedServiceAccess","value":"\+imap:LOCAL","reason":"column 7/,
  );
  // Its other attributes change; the rule does when it is right.
  await directory.apply(replace(userDn('ben@acme.example'), { description: 'x' }));
  await directory.apply(replace(userDn('ben@acme.example'), { mailAllowedServiceAccess: '+imap:*' }));
  assert.deepEqual(readProblems(directory.reader), []);
  directory.close();
});

test('members of a list from before their syntax counted: those that mail cannot read are named', async () => {
  const directory = await populated();
  const dn = groupDn('all@b.test');
  const is = (mgrpRFC822MailMember: readonly string[]) => directory.apply(replace(dn, { mgrpRFC822MailMember }));
  await is(['one@far.test', 'two@far.test']);
  const store = operation('test.store-member', async (tx, _args: null) => {
    await tx.run("UPDATE dit_value SET key = 'nobody', value = 'nobody', target = '' WHERE value = 'two@far.test'");
  });
  await directory.writer.execute(store, null);
  assert.deepEqual(readProblems(directory.reader), []);
  await start(directory, 3);
  assert.deepEqual(readProblems(directory.reader), [
    { dn, problems: [{ attribute: 'mgrpRFC822MailMember', value: 'nobody', reason: 'is not an address' }] },
  ]);
  await is(['one@far.test']);
  assert.deepEqual(readProblems(directory.reader), []);
  directory.close();
});

test('more entries than one slice', async () => {
  const directory = await populated();
  const people = Array.from({ length: 450 }, (_, n) => addUser(`p${n}@acme.example`));
  await directory.apply(add('ou=More,o=internet', { objectClass: 'organizationalUnit', ou: 'More' }), ...people);
  const right = readTables(directory.reader);
  await directory.writer.execute(spoil, null);
  await start(directory, 2);
  assert.deepEqual(readTables(directory.reader), right);
  directory.close();
});
