// waypost directory import against the running program: what it does, what it refuses and where it says so, a dry run.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import type { Client } from 'ldapts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { administrator } from './support/directory.ts';
import { startWaypost, type Waypost } from './support/server.ts';

const launcher = resolve(import.meta.dirname, '..', 'waypost');
const folder = mkdtempSync(join(tmpdir(), 'waypost-ldif-'));

let server: Waypost;
let directory: Client;
before(async () => {
  server = await startWaypost();
  directory = await administrator(server);
});
after(async () => {
  await directory?.unbind();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function run(words: readonly string[], stdin = '', env: Readonly<Record<string, string>> = {}) {
  const at = words.includes('--data') ? [] : ['--data', server.data];
  const child = spawn(launcher, ['directory', ...words, ...at], { env: { ...process.env, ...env } });
  child.stdin.on('error', () => {});
  child.stdin.end(stdin);
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  const [code] = (await once(child, 'close')) as [number];
  return { code, ...said };
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const UUID = '11111111-2222-3333-4444-0000000000';
const BCRYPT = '{CRYPT}$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW';

const domain = (name: string) => `dn: dc=${name},dc=example,o=internet
objectClass: domain
objectClass: inetDomain
objectClass: mailDomain
dc: ${name}

`;
const user = (name: string, more = '') => `dn: uid=${name},ou=People,dc=acme,dc=example,o=internet
objectClass: inetOrgPerson
objectClass: inetMailUser
uid: ${name}
cn: ${name}
sn: ${name}
mail: ${name}@acme.example
${more}
`;

const OPERATIONAL = `entryUUID: ${UUID}07
createTimestamp: 20010203040506Z
modifyTimestamp: 20020304050607Z
creatorsName: cn=admin,dc=elsewhere
entryCSN: 20200101000000.000000Z#000000#000#000000
structuralObjectClass: inetOrgPerson
memberOf: cn=gone,o=internet
pwdChangedTime: 20200101000000Z
userPassword: ${BCRYPT}
`;

async function read(dn: string, ...attributes: string[]): Promise<Record<string, unknown>> {
  const { searchEntries } = await directory.search(dn, { scope: 'base', attributes });
  return searchEntries[0] as unknown as Record<string, unknown>;
}
const userDn = (name: string) => `uid=${name},ou=People,dc=acme,dc=example,o=internet`;

test('a dry run says what would be done, and nothing is', async () => {
  const path = file(
    'first.ldif',
    `version: 1\n\n${domain('acme')}${user('ann')}${user('bob', 'userPassword: clear\n')}${user('ann')}`,
  );
  const dry = await run(['import', path, '--dry-run']);
  assert.equal(dry.code, 1);
  assert.match(dry.stderr, /^waypost: line 26: uid=ann,.*: There is an entry of this name already \(68\)$/m);
  assert.match(dry.stdout, /^would be: 3 added, 1 refused\n$/);
  assert.equal(existsSync(join(server.data, 'run/copy')), false);
  await assert.rejects(read('dc=acme,dc=example,o=internet'), { code: 32 });
});

test('entries come with UUID and timestamps, other operational attributes go, a hash of crypt(3) opens the mailbox', async () => {
  const path = file(
    'acme.ldif',
    `${domain('acme')}${user('ann', OPERATIONAL)}${user('kim', 'userPassword: {SMB}x\n')}`,
  );
  const done = await run(['import', path, '--json']);
  assert.equal(done.code, 0);
  assert.match(done.stderr, /^waypost: line 24: uid=kim,.*: a password of a kind that is not verified here\n$/);
  assert.deepEqual(JSON.parse(done.stdout), {
    dryRun: false,
    added: 3,
    replaced: 0,
    changed: 0,
    skipped: 0,
    unknownHashes: 1,
    refused: 0,
    endedAt: null,
  });
  const { entryUUID, createTimestamp, modifyTimestamp, creatorsName, memberOf } = await read(userDn('ann'), '*', '+');
  assert.deepEqual(
    [entryUUID, createTimestamp, modifyTimestamp, memberOf],
    [`${UUID}07`, '20010203040506Z', '20020304050607Z', undefined],
  );
  assert.notEqual(creatorsName, 'cn=admin,dc=elsewhere');
  await (await ImapClient.login(server.listeners.imap, 'ann@acme.example', 'secret')).logout();
});

test('it ends at the first record that is refused and says where to go on; --line goes on there', async () => {
  const path = file('ends.ldif', `${user('cy')}${user('ann')}${user('di')}`);
  const ended = await run(['import', path]);
  assert.equal(ended.code, 1);
  assert.match(ended.stderr, /^waypost: line 9: uid=ann,.*\(68\)\n$/);
  assert.match(
    ended.stdout,
    /^1 added, 1 refused\nwhat stands before line 9 is done; .*import .*ends.ldif --line 9\n$/,
  );
  await assert.rejects(read(userDn('di')), { code: 32 });
  const on = await run(['import', path, '--line', '9', '--existing', 'skip']);
  assert.deepEqual([on.code, on.stdout], [0, '1 added, 1 there already\n']);
});

test('--continue writes what is refused, with its line, to FILE.rejected; parents that are missing, what the schema refuses', async () => {
  const orphan = 'dn: uid=x,ou=Nowhere,o=internet\nobjectClass: inetOrgPerson\nuid: x\ncn: x\nsn: x\n\n';
  const bad = user('ed', 'mailUserStatus: sleeping\n');
  const path = file(
    'continue.ldif',
    `${orphan}${user('ed2')}${bad}${user('ed3', `entryUUID: ${UUID}07\n`)}${user('ed4').trimEnd()}`,
  );
  const done = await run(['import', path, '--continue']);
  assert.equal(done.code, 1);
  assert.deepEqual(
    [...done.stderr.matchAll(/line (\d+): .* \((\d+)\)$/gm)].map(([, line, code]) => [line, code]),
    [
      ['1', '32'],
      ['15', '21'],
      ['24', '19'],
    ],
  );
  assert.equal(done.stdout, `2 added, 3 refused: ${path}.rejected\n`);
  const rejected = readFileSync(`${path}.rejected`, 'utf8');
  assert.equal(rejected.replaceAll(/^#.*\n/gm, ''), `${orphan}${bad}${user('ed3', `entryUUID: ${UUID}07\n`)}`);
  assert.equal(statSync(`${path}.rejected`).mode & 0o777, 0o600);
  const again = await run(['import', path, '--continue', '--line', '15']);
  assert.match(again.stdout, /^0 added, 3 refused/);
  const both = readFileSync(`${path}.rejected`, 'utf8');
  assert.equal(both.startsWith(rejected), true, 'what the first run has left there is not lost');
  assert.equal(both.match(/^dn:/gm)?.length, 6);
});

test('a call that no server answers is named by its first line', async () => {
  const path = file('unanswered.ldif', `${user('nia')}${user('nia')}`);
  const none = await run(['import', path, '--line', '9', '--data', join(folder, 'nothing')]);
  assert.notEqual(none.code, 0);
  assert.match(none.stderr, /^waypost: what stands before line 9 is done; .* import .*unanswered.ldif --line 9$/m);
});

test('what is no LDIF is 65 with its line, and what stands before is done', async () => {
  const broken = await run(['import', '-', '--continue'], `${user('fay')}dn: uid=z\nno colon here\n`);
  assert.equal(broken.code, 65);
  assert.match(broken.stderr, /^waypost: line 10: a name and a colon are expected\n$/);
  assert.match(broken.stdout, /^1 added\nwhat stands before line 9 is done/);
  await read(userDn('fay'));
  const latin = await run(['import', '-'], 'dn: o=x\no: a\n\n');
  assert.equal(latin.code, 1);
  const none = await run(['import', join(folder, 'none.ldif')]);
  assert.deepEqual([none.code, none.stderr.includes('none.ldif cannot be read')], [65, true]);
});

test('--existing replace makes an entry what the record says, but for its password where the record has none', async () => {
  await run(['import', '-'], user('gil', 'description: old\nuserPassword: {SSHA}x\ntitle: t\n'));
  const replaced = await run(['import', '-', '--existing', 'replace'], user('gil', 'description: new\n'));
  assert.deepEqual([replaced.code, replaced.stdout], [0, '0 added, 1 replaced\n']);
  const { description, title, userPassword } = await read(userDn('gil'));
  assert.deepEqual([description, title, userPassword], ['new', undefined, '{SSHA}x']);
  const same = await run(['import', '-', '--existing', 'replace'], user('gil', 'description: new\n'));
  assert.deepEqual([same.code, same.stdout], [0, '0 added, 1 there already\n']);
  // What the name says need not stand in the record, as where it is added.
  const named = (more: string) =>
    user('gus')
      .replace(userDn('gus'), `uid=gus\\+2,${userDn('').slice('uid=,'.length)}`)
      .replace(/^uid: .*\n/m, more);
  await run(['import', '-'], named(''));
  for (const [more, done] of [
    ['', '1 there already'],
    ['description: x\n', '1 replaced'],
    ['uid: gus\n', '1 replaced'],
  ] as const) {
    const again = await run(['import', '-', '--existing', 'replace'], named(more));
    assert.deepEqual([again.code, again.stdout], [0, `0 added, ${done}\n`], more);
  }
});

test('change records are carried out', async () => {
  const changes = `dn: ${userDn('gil')}\nchangetype: modify\nreplace: description\ndescription: three\n-\n\ndn: ${userDn('cy')}\nchangetype: delete\n`;
  assert.deepEqual(await run(['import', '-'], changes), { code: 0, stdout: '0 added, 2 changed\n', stderr: '' });
  assert.equal((await read(userDn('gil')))['description'], 'three');
  await assert.rejects(read(userDn('cy')), { code: 32 });
});

const withoutHead = (ldif: string) => ldif.replace(/^(# (first|last) .*\n)+/, '');
/** What a server of its own makes of an entry: who, and by which revision. */
const own = /^(entryCSN|creatorsName|modifiersName): .*\n/gm;

/** What slapd has of an export: slapadd, then slapcat; the export itself where there is no slapd. */
function throughSlapd(ldif: string, schema: string): string {
  const slapadd = ['/usr/sbin/slapadd', '/usr/sbin/slapcat'];
  if (!slapadd.every((each) => existsSync(each))) return ldif;
  const data = mkdtempSync(join(folder, 'slapd-'));
  const modules = globSync('/usr/lib/{ldap,*/ldap}/back_mdb.so')[0]!;
  const included = ['core', 'cosine', 'inetorgperson'].map((name) => `include /etc/ldap/schema/${name}.schema`);
  const configuration = file(
    'slapd.conf',
    [
      ...[...included, `include ${file('waypost.schema', schema)}`],
      ...[`modulepath ${resolve(modules, '..')}`, 'moduleload back_mdb'],
      ...['database mdb', 'suffix "o=internet"', `directory ${data}`, 'maxsize 67108864', ''],
    ].join('\n'),
  );
  const [add, cat] = slapadd;
  const added = spawnSync(add!, ['-q', '-s', '-f', configuration, '-l', file('export.ldif', ldif)], {
    encoding: 'utf8',
  });
  assert.equal(added.status, 0, added.stderr);
  return spawnSync(cat!, ['-f', configuration], { encoding: 'utf8', maxBuffer: 1 << 26 }).stdout;
}

test('an export, through slapadd and slapcat and imported by another server, is the same export there', async () => {
  await run(
    ['import', '-'],
    `${domain('beta')}dn: cn=all,ou=Groups,dc=acme,dc=example,o=internet\nobjectClass: groupOfUniqueNames\ncn: all\nuniqueMember: ${userDn('ann')}\nuniqueMember: ${userDn('gil')}\ndescription:: w6k=\n\n`,
  );
  const { stdout: exported } = await run(['export', '--passwords']);
  assert.match(exported, /^# first revision: \d+\n# last revision: \d+\ndn: o=internet\n/);
  assert.ok(exported.includes(`userPassword: ${BCRYPT}`) || exported.includes('userPassword: {ARGON2}'));
  const between = throughSlapd(exported, (await run(['export', '--schema'])).stdout);
  const other = await startWaypost();
  const first = server;
  try {
    server = other;
    const imported = await run(['import', '-', '--existing', 'replace'], between);
    assert.equal(imported.code, 0);
    assert.match(
      imported.stderr,
      /^(waypost: line \d+: uid=(gil|kim),.*: a password of a kind that is not verified here\n){2}$/,
    );
    const { stdout: again } = await run(['export', '--passwords']);
    // Containers, and what is below ou=Waypost, each server makes by itself; its keys are its own.
    const plain = (ldif: string) =>
      withoutHead(ldif)
        .split('\n\n')
        .filter((each) => !each.includes('ou=Keys,'))
        .map((each) => each.replaceAll('\n ', '').replaceAll(own, '').split('\n').sort().join('\n'))
        .map((each) =>
          /^dn: (uid|cn)=.*,dc=/m.test(each) ? each : each.replaceAll(/^(entryUUID|\w+Timestamp): .*\n?/gm, ''),
        );
    assert.deepEqual(plain(again), plain(exported));
    assert.ok(again.includes(`entryUUID: ${UUID}07`) && again.includes('createTimestamp: 20010203040506Z'));
  } finally {
    server = first;
    await other.stop();
  }
  const bare = await run(['export']);
  assert.doesNotMatch(bare.stdout, /^userPassword/m);
});

test('--since gives what changed as change records, which another server carries out', async () => {
  const since = /# last revision: (\d+)/.exec((await run(['export'])).stdout)![1]!;
  await directory.modifyDN(userDn('di'), 'uid=dina');
  await run(
    ['import', '-'],
    `${user('hal', 'userPassword: {SSHA}hal\n')}dn: ${userDn('gil')}\nchangetype: modify\nreplace: description\ndescription: four\n-\nreplace: userPassword\nuserPassword: {SSHA}gil\n\ndn: ${userDn('ed4')}\nchangetype: delete\n\n`,
  );
  const { stdout } = await run(['export', '--since', since, '--passwords']);
  const records = withoutHead(stdout)
    .replaceAll(/^#.*\n/gm, '')
    .trim()
    .split('\n\n');
  assert.deepEqual(
    records.map((each) => /changetype: (\w+)/.exec(each)![1]),
    ['modrdn', 'add', 'modify', 'delete'],
  );
  assert.match(records[0]!, /newrdn: uid=dina\ndeleteoldrdn: 1$/);
  assert.match(records[1]!, /userPassword: \{SSHA\}hal/);
  assert.match(
    records[2]!,
    /delete: description\ndescription: three\n-\nadd: description\ndescription: four\n-\nreplace: userPassword\nuserPassword: \{SSHA\}gil\n-/,
  );
  assert.ok(!(await run(['export', '--since', since])).stdout.includes('userPassword'));
  const future = await run(['export', '--since', '999999999']);
  assert.deepEqual([future.code, future.stdout], [65, '']);
});

test('show, search and edit', async () => {
  const shown = await run(['show', userDn('hal')]);
  assert.match(shown.stdout, /^dn: uid=hal,(.*\n )?.*\n[\s\S]*\nentryUUID: /);
  assert.ok(!shown.stdout.includes('userPassword'));
  assert.match((await run(['show', userDn('hal'), '--passwords'])).stdout, /userPassword: \{SSHA\}hal/);
  const none = await run(['show', userDn('nobody')]);
  assert.deepEqual([none.code, none.stdout], [1, '']);
  const found = await run(['search', 'mail=hal@acme.example', '--attributes', 'mail']);
  assert.equal(found.stdout.replaceAll('\n ', ''), `dn: ${userDn('hal')}\nmail: hal@acme.example\n`);
  assert.equal((await run(['search', '(mail=nobody@acme.example)'])).code, 1);
  assert.equal((await run(['search', '(mail='])).code, 65);
  const edit = (script: string) => run(['edit', userDn('hal')], '', { EDITOR: `sed -i -e '${script}'` });
  assert.equal((await edit('s/x/x/')).stdout, 'nothing has been changed\n');
  assert.match((await edit('s/^sn: .*/sn: Other/')).stdout, /^uid=hal,.* is changed, revision \d+\n$/);
  assert.match((await edit('$a title: Boss')).stdout, / is changed, revision \d+\n$/);
  const { sn, userPassword } = await read(userDn('hal'));
  assert.deepEqual([sn, userPassword], ['Other', '{SSHA}hal']);
  const refused = await edit('s/^sn: .*//');
  assert.equal(refused.code, 65);
  assert.match(refused.stderr, /; your text is in .*entry\.ldif\n$/);
  rmSync(resolve(/your text is in (.*)\n/.exec(refused.stderr)![1]!, '..'), { recursive: true });
});

test('a file of several calls and commits: lines and counts are those of the file, whatever call they fall into', async () => {
  const people = Array.from({ length: 2600 }, (_, n) => user(`m${n}`));
  const lines = (n: number) => people.slice(0, n).join('').split('\n').length;
  people[1200] = user('m1200', 'mailUserStatus: sleeping\n');
  people[2300] = user('m2299');
  const path = file('many.ldif', people.join(''));
  const ended = await run(['import', path]);
  assert.equal(ended.code, 1);
  assert.match(ended.stderr, new RegExp(`^waypost: line ${lines(1200)}: uid=m1200,.*\\(21\\)$`, 'm'));
  assert.match(ended.stdout, new RegExp(`^1,200 added, 1 refused\nwhat stands before line ${lines(1200)} is done`));
  await assert.rejects(read(userDn('m1201')), { code: 32 });
  const on = await run(['import', path, '--line', String(lines(1200)), '--continue']);
  assert.match(on.stdout, /^1,398 added, 2 refused/);
  assert.match(on.stderr, new RegExp(`^waypost: line ${lines(2300)}: uid=m2299,.*\\(68\\)$`, 'm'));
});
