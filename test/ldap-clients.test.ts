// Clients that people have, with what their makers built in for controls and extended operations: OpenLDAP's tools, Python's two
// libraries, ldapts, ldapvi, the look-ups of Postfix and of Dovecot.
//
// One server for all. What a client prints or returns is compared with what is in the directory.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { Attribute, Change, Client } from 'ldapts';
import { addDomain, addUser, administrator, userDn } from './support/directory.ts';
import { dovecotLdapMissing, peer, peersMissing, postfixLdapMissing } from './support/peers.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const NAMES = ['ann', 'bob', 'cora', 'dora', 'emil'];
const PEOPLE = 'ou=People,dc=acme,dc=example,o=internet';
const run = promisify(execFile);
/** Debian's, whose packages the libraries are. */
const PYTHON = '/usr/bin/python3';
const tools = peersMissing('ldapsearch', 'ldapmodify');

let server: Waypost;
let url: string;
before(async () => {
  server = await startWaypost();
  url = server.ldap.url;
  const client = await administrator(server);
  await addDomain(client, 'acme.example');
  for (const name of NAMES) await addUser(client, `${name}@acme.example`);
  await client.unbind();
});
after(() => server?.stop());

/** Standard output and error; the exit code stands at the end. */
async function tool(name: string, ...args: readonly string[]): Promise<string> {
  const identity = args.includes('-Y') ? [] : ['-x', '-H', url];
  const who =
    args.includes('-D') || args.includes('-Y') ? [] : ['-D', 'cn=Directory Manager', '-w', server.ldap.password];
  const env = { ...process.env, LDAPNOINIT: '1' };
  try {
    const { stdout, stderr } = await run(name, [...identity, ...who, ...args], { env, timeout: 120_000 });
    return `${stdout}${stderr}= 0`;
  } catch (error) {
    const { stdout, stderr, code } = error as { stdout: string; stderr: string; code: number };
    return `${stdout}${stderr}= ${code}`;
  }
}

const dnsIn = (text: string): string[] => [...text.matchAll(/^dn: uid=([a-z]+),/gm)].map((match) => match[1]!);

test('ldapsearch gets pages, and what is sorted', { skip: tools }, async () => {
  const paged = await tool('ldapsearch', '-LLL', '-b', PEOPLE, '-s', 'one', '-E', '!pr=2/noprompt', '1.1');
  assert.deepEqual(dnsIn(paged), NAMES);
  assert.equal(paged.match(/pagedresults: cookie=/g)?.length, 3);
  const sorted = await tool('ldapsearch', '-LLL', '-b', PEOPLE, '-s', 'one', '-E', '!sss=-uid:2.5.13.3', 'uid');
  assert.deepEqual(dnsIn(sorted), [...NAMES].reverse());
  assert.match(sorted, /sortResult: \(0\) Success/);
});

test('ldapsearch follows: once, from a cookie, until it is ended', { skip: tools }, async () => {
  const once = await tool('ldapsearch', '-b', PEOPLE, '-E', 'sync=ro', '(uid=*)', 'uid');
  assert.match(once, /result: 0 Success[\s\S]*= 0$/);
  for (const name of NAMES) assert.match(once, new RegExp(`\nuid: ${name}\n`));
  const [, csn] =
    /contextCSN: (\S+)/.exec(await tool('ldapsearch', '-b', 'o=internet', '-s', 'base', 'contextCSN')) ?? [];
  assert.doesNotMatch(await tool('ldapsearch', '-b', PEOPLE, '-E', `sync=ro/rid=001,csn=${csn}`), /^uid:/m);
  assert.match(await tool('ldapsearch', '-b', PEOPLE, '-E', 'sync=ro/x'), /result: 4096/);
  const child = spawn('ldapsearch', [
    ...['-x', '-H', url, '-D', 'cn=Directory Manager', '-w', server.ldap.password, '-b', PEOPLE],
    ...['-E', 'sync=rp', '(uid=*)', 'description'],
  ]);
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  try {
    await until('the refresh', () => said.includes(userDn('emil@acme.example')));
    const client = await administrator(server);
    const description = new Attribute({ type: 'description', values: ['followed'] });
    await client.modify(userDn('dora@acme.example'), new Change({ operation: 'replace', modification: description }));
    await client.unbind();
    await until('the change', () => said.includes('description: followed'));
  } finally {
    child.kill();
  }
});

test('python3-ldap: its consumer takes a refresh and what changes', async (t) => {
  if (await lacks('ldap.syncrepl')) return t.skip('python3-ldap is not installed');
  const said = await python(
    'ldap, sys',
    `
from ldap.ldapobject import ReconnectLDAPObject
from ldap.syncrepl import SyncreplConsumer
class Consumer(ReconnectLDAPObject, SyncreplConsumer):
  cookie = None
  names = {}
  def syncrepl_get_cookie(self): return self.cookie
  def syncrepl_set_cookie(self, cookie): self.cookie = cookie
  def syncrepl_present(self, uuids, refreshDeletes=False): pass
  def syncrepl_delete(self, uuids):
    for uuid in uuids: print('gone', self.names.pop(uuid))
  def syncrepl_entry(self, dn, attributes, uuid): self.names[uuid] = dn
  def syncrepl_refreshdone(self): pass
_, url, password, base = sys.argv
consumer = Consumer(url)
consumer.simple_bind_s('cn=Directory Manager', password)
def refresh():
  search = consumer.syncrepl_search(base, ldap.SCOPE_SUBTREE, mode='refreshOnly', cookie=consumer.cookie)
  while consumer.syncrepl_poll(msgid=search, all=1): pass
refresh()
print(len(consumer.names), consumer.cookie[:12])
other = ldap.initialize(url)
other.simple_bind_s('cn=Directory Manager', password)
other.add_s('ou=followed,' + base, [('objectClass', [b'organizationalUnit']), ('ou', [b'followed'])])
refresh()
other.delete_s('ou=followed,' + base)
refresh()
`,
  );
  assert.equal(said, `${NAMES.length + 1} rid=000,csn=\ngone ou=followed,${PEOPLE}\n`);
});

test('ldapwhoami, ldappasswd, ldapexop', { skip: tools }, async () => {
  const ann = userDn('ann@acme.example');
  const as = (password: string): string[] => ['-D', ann, '-w', password];
  assert.equal(await tool('ldapwhoami', ...as('secret')), `dn:${ann}\n= 0`);
  assert.match(await tool('ldapwhoami', '-e', `!authzid=dn:${ann}`), new RegExp(`^dn:${ann}\n= 0`));
  const [, made] =
    /New password: ([a-z2-7]{16})\n/.exec(await tool('ldappasswd', ...as('secret'), '-a', 'secret')) ?? [];
  assert.ok(made);
  assert.match(await tool('ldapwhoami', ...as('secret')), /Invalid credentials \(49\)/);
  assert.equal(await tool('ldappasswd', '-s', 'secret', ann), '= 0');
  assert.match(await tool('ldapexop', ...as('secret'), 'whoami'), new RegExp(`dn:${ann}`));
  assert.match(await tool('ldapexop', 'cancel', '7'), /\(119\)/);
});

test('run/ldapi is for the user of the server alone, who is the Directory Manager there', { skip: tools }, async () => {
  const path = join(server.data, 'run/ldapi');
  await until('the socket', () => existsSync(path));
  const { stdout } = await run('stat', ['-c', '%a %F', path]);
  assert.equal(stdout, '600 socket\n');
  const local = ['-Q', '-Y', 'EXTERNAL', '-H', `ldapi://${encodeURIComponent(path)}`];
  assert.equal(await tool('ldapwhoami', ...local), 'dn:cn=Directory Manager\n= 0');
  const offered = await tool('ldapsearch', ...local, '-LLL', '-s', 'base', '-b', '', 'supportedSASLMechanisms');
  assert.match(offered, /supportedSASLMechanisms: EXTERNAL/);
  assert.doesNotMatch(await tool('ldapsearch', '-LLL', '-s', 'base', '-b', '', 'supportedSASLMechanisms'), /EXTERNAL/);
  assert.match(await tool('ldapwhoami', '-Q', '-Y', 'EXTERNAL', '-H', url), /\(7\)|\(-6\)/);
});

async function python(module: string, script: string): Promise<string> {
  const { stdout } = await run(PYTHON, ['-c', `import ${module}\n${script}`, url, server.ldap.password, PEOPLE], {
    timeout: 120_000,
  });
  return stdout;
}

async function lacks(module: string): Promise<boolean> {
  return run(PYTHON, ['-c', `import ${module}`]).then(
    () => false,
    () => true,
  );
}

test('python3-ldap: pages, an assertion, the entry after, a sorted search, a password, who am I', async (t) => {
  if (await lacks('ldap')) return t.skip('python3-ldap is not installed');
  const said = await python(
    'ldap, sys',
    `
from ldap.controls import SimplePagedResultsControl, AssertionControl
from ldap.controls.readentry import PostReadControl
from ldap.controls.sss import SSSRequestControl, SSSResponseControl
url, password, people = sys.argv[1:]
c = ldap.initialize(url)
c.simple_bind_s('cn=Directory Manager', password)
print(c.whoami_s())
page = SimplePagedResultsControl(True, size=2, cookie='')
pages = []
while True:
    id = c.search_ext(people, ldap.SCOPE_ONELEVEL, attrlist=['uid'], serverctrls=[page])
    _, found, _, controls = c.result3(id)
    pages.append(len(found))
    page.cookie = controls[0].cookie
    if not page.cookie: break
print(pages)
dn = 'uid=bob,' + people
after = PostReadControl(True, ['description'])
id = c.modify_ext(dn, [(ldap.MOD_REPLACE, 'description', [b'of python'])], serverctrls=[after, AssertionControl(True, '(uid=bob)')])
print(c.result3(id)[3][0].entry)
try: c.modify_ext_s(dn, [(ldap.MOD_REPLACE, 'description', None)], serverctrls=[AssertionControl(True, '(uid=ann)')])
except ldap.ASSERTION_FAILED: print('refused')
id = c.search_ext(people, ldap.SCOPE_ONELEVEL, attrlist=['uid'], serverctrls=[SSSRequestControl(True, ['-uid:2.5.13.3'])])
print([dn.split(',')[0] for dn, _ in c.result3(id)[1]])
c.passwd_s(dn, None, 'geheim')
c.simple_bind_s(dn, 'geheim')
print(c.whoami_s())
`,
  );
  assert.deepEqual(said.trim().split('\n'), [
    'dn:cn=Directory Manager',
    '[2, 2, 1]',
    "{'description': [b'of python']}",
    'refused',
    `[${[...NAMES]
      .reverse()
      .map((name) => `'uid=${name}'`)
      .join(', ')}]`,
    `dn:uid=bob,${PEOPLE}`,
  ]);
});

test('python3-ldap3: pages, who am I, a password that the server makes', async (t) => {
  if (await lacks('ldap3')) return t.skip('python3-ldap3 is not installed');
  const said = await python(
    'ldap3, sys',
    `
url, password, people = sys.argv[1:]
server = ldap3.Server(url, get_info=ldap3.ALL)
c = ldap3.Connection(server, 'cn=Directory Manager', password, auto_bind=True)
print(c.extend.standard.who_am_i())
print(sorted(e['dn'].split(',')[0] for e in c.extend.standard.paged_search(people, '(uid=*)', ldap3.LEVEL, attributes=['uid'], paged_size=2, generator=True)))
dn = 'uid=cora,' + people
made = c.extend.standard.modify_password(dn)
print(len(made))
print(ldap3.Connection(server, dn, made).bind())
print('1.2.840.113556.1.4.319' in str(server.info.supported_controls), '1.3.6.1.1.14' in str(server.info.supported_features))
`,
  );
  assert.deepEqual(said.trim().split('\n'), [
    'dn:cn=Directory Manager',
    `[${NAMES.map((name) => `'uid=${name}'`).join(', ')}]`,
    '16',
    'True',
    'True True',
  ]);
});

test('ldapts gets pages', async () => {
  const client = new Client({ url, timeout: 120_000 });
  await client.bind('cn=Directory Manager', server.ldap.password);
  const sizes: number[] = [];
  const search = client.searchPaginated(PEOPLE, { scope: 'one', attributes: ['uid'], paged: { pageSize: 2 } });
  for await (const { searchEntries } of search) sizes.push(searchEntries.length);
  assert.deepEqual(sizes, [2, 2, 1]);
  await client.unbind();
});

test('postmap -q of postfix-ldap finds who is there, and nobody else', { skip: postfixLdapMissing() }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-postmap-'));
  try {
    const map = join(folder, 'recipients.cf');
    const settings = [
      `server_host = ${url}`,
      'version = 3',
      'bind = yes',
      'bind_dn = cn=Directory Manager',
      `bind_pw = ${server.ldap.password}`,
      'search_base = o=internet',
      'query_filter = (mail=%s)',
      'result_attribute = uid',
    ];
    writeFileSync(map, `${settings.join('\n')}\n`);
    writeFileSync(join(folder, 'main.cf'), 'compatibility_level = 3.6\n');
    const { path } = peer('postmap');
    const ask = (address: string) => run(path, ['-c', folder, '-q', address, `ldap:${map}`], { timeout: 120_000 });
    assert.equal((await ask('ann@acme.example')).stdout, 'ann\n');
    await assert.rejects(ask('nobody@acme.example'), { code: 1, stdout: '', stderr: '' });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('ldapvi shows what it finds, and carries out what is edited', { skip: peersMissing('ldapvi') }, async () => {
  const { path } = peer('ldapvi');
  const common = [
    '--host',
    url,
    '--user',
    'cn=Directory Manager',
    '--password',
    server.ldap.password,
    '--bind',
    'simple',
  ];
  const out = await run(path, [...common, '--out', '-b', PEOPLE, '(uid=ann)'], { timeout: 120_000 });
  assert.match(out.stdout, /^dn: uid=ann,ou=People,dc=acme,dc=example,o=internet$/m);
  const folder = mkdtempSync(join(tmpdir(), 'waypost-ldapvi-'));
  try {
    const file = join(folder, 'change.ldif');
    writeFileSync(
      file,
      `dn: ${userDn('ann@acme.example')}\nchangetype: modify\nreplace: displayName\ndisplayName: Ann by ldapvi\n-\n`,
    );
    await run(path, [...common, '--ldapmodify', '--noquestions', file], { timeout: 120_000 });
    const shown = await tool('ldapsearch', '-LLL', '-b', userDn('ann@acme.example'), '-s', 'base', 'displayName');
    assert.match(shown, /^displayName: Ann by ldapvi$/m);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('the LDAP passdb and userdb of Dovecot know a user and the password', { skip: dovecotLdapMissing() }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-dovecot-'));
  const ldap = [
    `uris = ${url}`,
    'base = o=internet',
    'scope = subtree',
    'auth_bind = yes',
    'dn = cn=Directory Manager',
    `dnpass = ${server.ldap.password}`,
    'pass_filter = (mail=%u)',
    'pass_attrs = mail=user',
    'user_filter = (mail=%u)',
    'user_attrs = uid=home=/mail/%$',
  ];
  writeFileSync(join(folder, 'ldap.ext'), `${ldap.join('\n')}\n`, { mode: 0o600 });
  const base = ['base_dir', 'state_dir'].map((name) => `${name} = ${folder}/run`);
  const databases = ['passdb', 'userdb'].map((name) => `${name} {\n driver = ldap\n args = ${folder}/ldap.ext\n}`);
  const settings = [
    ...base,
    `log_path = ${folder}/log`,
    'protocols =',
    'ssl = no',
    'disable_plaintext_auth = no',
    'auth_mechanisms = plain',
    ...['default_internal_user = root', 'default_login_user = nobody', 'first_valid_uid = 0'],
    ...databases,
    'service anvil {\n chroot =\n}',
  ];
  const file = join(folder, 'dovecot.conf');
  writeFileSync(file, `${settings.join('\n')}\n`);
  const dovecot = spawn(peer('dovecot').path, ['-F', '-c', file], { stdio: 'ignore' });
  const ended = once(dovecot, 'exit');
  const test = (password: string) =>
    run('doveadm', ['-c', file, 'auth', 'test', '-a', join(folder, 'run/auth-client'), 'emil@acme.example', password], {
      timeout: 120_000,
    });
  try {
    await until('the socket of Dovecot', () => existsSync(join(folder, 'run/auth-client')));
    assert.match((await test('secret')).stdout, /auth succeeded/);
    await assert.rejects(test('wrong'), { code: 77 });
    const found = await run('doveadm', ['-c', file, 'user', 'emil@acme.example'], { timeout: 120_000 });
    assert.match(found.stdout, /^home\s+\/mail\/emil$/m);
    await assert.rejects(run('doveadm', ['-c', file, 'user', 'nobody@acme.example'], { timeout: 120_000 }));
  } finally {
    dovecot.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
});
