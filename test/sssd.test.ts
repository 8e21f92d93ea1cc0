// SSSD as a client of ours: machines whose accounts are entries here. Its look-ups by name, by number, of groups and of all; logins
// to such a machine by PAM, which are binds behind StartTLS.
//
// It keeps its state below /var/lib/sss, wherever its configuration lies: here that is a file system of its own, in a mount
// namespace that getent enters. `getent -s sss` asks it without a line in nsswitch.conf; PAM has one service there.

import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { Attribute, Change, type Client } from 'ldapts';
import { addDomain, administrator, domainDn, replaceAttribute, userDn } from './support/directory.ts';
import { peer, peersMissing, tmpfsMissing } from './support/peers.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const skip = peersMissing('sssd', 'sss_cache', 'unshare', 'nsenter') || tmpfsMissing();
const run = promisify(execFile);
const skipPam = skip || peersMissing('pamtester');
const NAMES = Array.from({ length: 30 }, (_, i) => `user${String(i).padStart(2, '0')}`);
const STAFF = `cn=staff,ou=Groups,${domainDn('acme.example')}`;
const SERVICE = 'waypost-test';
const folder = mkdtempSync(join(tmpdir(), 'waypost-sssd-'));

let server: Waypost;
let ldap: Client;
let sssd: ChildProcess;
let log = '';

before(async () => {
  if (skip !== false) return;
  server = await startWaypost();
  ldap = await administrator(server);
  await addDomain(ldap, 'acme.example');
  for (const [index, name] of NAMES.entries())
    await ldap.add(userDn(`${name}@acme.example`), {
      objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser', 'posixAccount'],
      ...{ uid: name, cn: `Name of ${name}`, sn: name, mail: `${name}@acme.example` },
      ...(name === 'user03' ? { userPassword: 'geheim' } : {}),
      ...{
        uidNumber: String(10_000 + index),
        gidNumber: '10000',
        homeDirectory: `/home/${name}`,
        loginShell: '/bin/sh',
      },
    });
  await ldap.add(STAFF, {
    objectClass: ['groupOfUniqueNames', 'posixGroup'],
    ...{ cn: 'staff', gidNumber: '20000' },
    uniqueMember: ['user01', 'user02'].map((name) => userDn(`${name}@acme.example`)),
  });
  sssd = start();
  await until('sssd answers', async () => /^user00:/.test(await getent('passwd', 'user00'))).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${log.slice(-4000)}`);
  });
});
after(async () => {
  if (sssd?.exitCode === null) {
    const ended = once(sssd, 'exit');
    sssd.kill('SIGTERM');
    await ended;
  }
  await ldap?.unbind();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function start(): ChildProcess {
  const file = join(folder, 'sssd.conf');
  const settings = [
    ...['[sssd]', 'services = nss, pam', 'domains = waypost', '[nss]', 'enum_cache_timeout = 1', '[domain/waypost]'],
    ...['id_provider = ldap', 'access_provider = permit', 'auth_provider = ldap', 'enumerate = true'],
    ...['ldap_id_use_start_tls = true', `ldap_tls_cacert = ${join(server.data, 'tls', 'ca.pem')}`],
    ...[`ldap_uri = ${server.ldap.url}`, `ldap_search_base = ${domainDn('acme.example')}`],
    ...['ldap_default_bind_dn = cn=Directory Manager', `ldap_default_authtok = ${server.ldap.password}`],
    // Smaller than what is there: all come by pages.
    ...['ldap_schema = rfc2307bis', 'ldap_group_member = uniqueMember', 'ldap_page_size = 10'],
  ];
  writeFileSync(file, `${settings.join('\n')}\n`, { mode: 0o600 });
  const service = join(folder, 'service');
  writeFileSync(service, 'auth required pam_sss.so\naccount required pam_sss.so\n');
  const script = [
    'mount -t tmpfs tmpfs /var/lib/sss',
    'mount -t tmpfs tmpfs /run',
    'mount -t tmpfs tmpfs /etc/pam.d',
    `cp ${service} /etc/pam.d/${SERVICE}`,
    'cd /var/lib/sss',
    'mkdir -m 700 db secrets',
    'mkdir -p mc pipes pubconf gpo_cache deskprofile',
    'mkdir -m 750 pipes/private',
    `exec ${peer('sssd').path} --interactive --logger=stderr --config=${file}`,
  ].join(' && ');
  const child = spawn(peer('unshare').path, ['--mount', '--propagation', 'private', 'sh', '-c', script], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  process.once('exit', () => child.kill('SIGTERM'));
  return child;
}

/** In its namespace; '' where there is nobody. */
async function inside(...command: readonly string[]): Promise<string> {
  const words = [`--mount=/proc/${sssd.pid}/ns/mnt`, '--', ...command];
  return run(peer('nsenter').path, words).then(
    ({ stdout }) => stdout.trimEnd(),
    ({ code, stderr }) => {
      if (code !== 2) throw new Error(`${command.join(' ')}: ${code} ${stderr}`);
      return '';
    },
  );
}

const getent = (...words: readonly string[]): Promise<string> => inside('getent', '-s', 'sss', ...words);

test('a person is found by name and by number, nobody else is', { skip }, async () => {
  const line = 'user07:*:10007:10000:Name of user07:/home/user07:/bin/sh';
  assert.equal(await getent('passwd', 'user07'), line);
  assert.equal(await getent('passwd', '10007'), line);
  assert.equal(await getent('passwd', 'nobody-here'), '');
  assert.equal(await getent('passwd', '10999'), '');
});

test('a group has its members, by their names, and a person the group', { skip }, async () => {
  assert.equal(await getent('group', 'staff'), 'staff:*:20000:user01,user02');
  assert.equal(await getent('group', '20000'), 'staff:*:20000:user01,user02');
  assert.match(await getent('initgroups', 'user02'), /^user02 .*\b20000\b/);
});

test('what of RFC 2307 is not in the schema the site adds, and a person of that class is found as before', {
  skip,
}, async () => {
  const add = (type: string, ...values: string[]) =>
    new Change({ operation: 'add', modification: new Attribute({ type, values }) });
  const integer = 'EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE';
  await ldap.modify('cn=Subschema', [
    add('attributeTypes', `( 1.3.6.1.1.1.1.5 NAME 'shadowLastChange' ${integer} )`),
    add('objectClasses', "( 1.3.6.1.1.1.2.1 NAME 'shadowAccount' SUP top AUXILIARY MUST uid MAY shadowLastChange )"),
  ]);
  await ldap.modify(userDn('user09@acme.example'), [
    add('objectClass', 'shadowAccount'),
    add('shadowLastChange', '19000'),
  ]);
  await inside(peer('sss_cache').path, '-E');
  assert.match(await getent('passwd', 'user09'), /^user09:\*:10009:/);
});

test('all of them come, page by page', { skip }, async () => {
  let found: string[] = [];
  await until('all are enumerated', async () => {
    found = (await getent('passwd')).split('\n').map((line) => line.slice(0, line.indexOf(':')));
    return found.length >= NAMES.length;
  });
  assert.deepEqual(found.sort(), NAMES);
});

test('what has changed is so at the next look that is not from its memory', { skip }, async () => {
  const shell = new Change({
    operation: 'replace',
    modification: new Attribute({ type: 'loginShell', values: ['/bin/bash'] }),
  });
  await ldap.modify(userDn('user07@acme.example'), shell);
  await ldap.del(userDn('user08@acme.example'));
  await inside(peer('sss_cache').path, '-E');
  assert.match(await getent('passwd', 'user07'), /:\/bin\/bash$/);
  assert.equal(await getent('passwd', 'user08'), '');
});

/** What PAM says of a login to the machine. */
async function logsIn(name: string, password: string): Promise<string> {
  const words = [`--mount=/proc/${sssd.pid}/ns/mnt`, '--', peer('pamtester').path, SERVICE, name, 'authenticate'];
  const child = spawn(peer('nsenter').path, words, { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  child.stdin.end(`${password}\n`);
  await once(child, 'close');
  return said;
}

test('who logs in to the machine binds here, behind StartTLS; by the password that is right now', {
  skip: skipPam,
}, async () => {
  assert.match(await logsIn('user03', 'geheim'), /successfully authenticated/);
  assert.match(await logsIn('user03', 'wrong'), /Authentication failure/);
  assert.match(await logsIn('user04', 'geheim'), /Authentication failure/);
  await replaceAttribute(ldap, userDn('user03@acme.example'), 'userPassword', ['offen']);
  assert.match(await logsIn('user03', 'geheim'), /Authentication failure/);
  assert.match(await logsIn('user03', 'offen'), /successfully authenticated/);
  await replaceAttribute(ldap, userDn('user03@acme.example'), 'inetUserStatus', ['inactive']);
  assert.doesNotMatch(await logsIn('user03', 'offen'), /successfully/);
});
