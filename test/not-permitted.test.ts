// What this user may not do with the files of this machine is exit code 77 and a line that says what to do: the socket of a server,
// its configuration, its data directory, files that commands are given. And what another directory refuses to us.
//
// Root may read everything: there commands run without root's rights over files (setpriv), else as whoever runs the tests.

import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { CORP, CORP_PASSWORD, CORP_READER, CorpSlapd, corpPerson } from './support/corp-slapd.ts';
import { administrator } from './support/directory.ts';
import { peersMissing } from './support/peers.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const launcher = resolve(import.meta.dirname, '..', 'waypost');
const WITHOUT_RIGHTS = process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] : [];
const skip =
  WITHOUT_RIGHTS.length > 0 && spawnSync('setpriv', ['--version']).status !== 0
    ? 'root without setpriv (util-linux)'
    : false;

const folder = mkdtempSync(join(tmpdir(), 'not-permitted-'));
let server: Waypost;
before(async () => {
  server = await startWaypost();
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

function waypost(...words: readonly string[]): SpawnSyncReturns<string> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('WAYPOST_')));
  const [program, ...more] = [...WITHOUT_RIGHTS, launcher, ...words];
  return spawnSync(program!, more, { encoding: 'utf8', env, timeout: 60_000, input: 'Subject: x\n\nx\n' });
}

/** While nobody may use `path`. */
function refused(path: string, words: readonly string[], says: RegExp): void {
  const mode = 0o700;
  chmodSync(path, 0);
  try {
    const { status, stderr } = waypost(...words);
    assert.match(stderr, says);
    assert.doesNotMatch(stderr, /\n./, 'one line');
    assert.equal(status, 77, words.join(' '));
  } finally {
    chmodSync(path, mode);
  }
}

test('a command whose user may not reach the server', { skip }, () => {
  const commands = [['status'], ['directory', 'probe', 'corp'], ['directory', 'access', '--as', 'x', '--on', 'x']];
  for (const words of commands)
    refused(
      join(server.data, 'run'),
      [...words, '--data', server.data],
      /admin\.sock may not be used by this user: run the command as the user that the server runs as/,
    );
  refused(server.data, ['status', '--data', server.data], /waypost\.toml may not be read by this user: run this as/);
});

test('a file that a command is given', { skip }, () => {
  const file = join(folder, 'file.ldif');
  writeFileSync(file, '');
  const says = /file\.ldif may not be read by this user: run the command as one who may/;
  for (const words of [
    ['directory', 'probe', file],
    ['directory', 'import', file],
    ['directory', 'diff', file],
    ['sync', '--from-zone', file, '--zone', 'corp.example'],
  ])
    refused(file, [...words, '--data', server.data], says);
  refused(file, ['dev', '--ldif', file], says);
  refused(file, ['serve', '--config', file], /file\.ldif may not be read by this user: run this as/);
});

test('mail that is handed in where this user may not write', { skip }, () => {
  const words = ['sendmail', '-f', 'ann@acme.example', '--data', server.data, 'bob@acme.example'];
  refused(join(server.data, 'submit'), words, /submit.* may not be written by this user: submit\.folder names one/);
});

test("a server on what is another user's", { skip }, async () => {
  const data = join(folder, 'data');
  mkdirSync(data);
  const first = await startWaypost({ data });
  await first.stop();
  const serve = ['serve', '--data', data];
  for (const name of ['segments', 'run', 'store.db', 'lock'])
    refused(
      join(data, name),
      serve,
      new RegExp(
        `/${name} may not be read and written by this user: start the server as its owner \\(uid \\d+\\), or give`,
      ),
    );
});

test('what another directory refuses to us, and what is changed there', {
  skip: peersMissing('slapd', 'ldapmodify'),
}, async () => {
  const corp = await CorpSlapd.start({ ldif: corpPerson('ann'), lines: ['require authc'] });
  const ldap = await administrator(server);
  try {
    const entry = {
      objectClass: 'waypostLdapSource',
      waypostUrl: corp.url,
      waypostBase: CORP,
      waypostSourceDomain: 'corp.example',
    };
    const probed = (more: Record<string, string>): SpawnSyncReturns<string> => {
      const file = join(folder, 'corp.ldif');
      const lines = Object.entries({ ...entry, ...more }).map(([name, value]) => `${name}: ${value}\n`);
      writeFileSync(file, `dn: cn=probed,ou=Sources,ou=Waypost,o=internet\n${lines.join('')}`);
      return waypost('directory', 'probe', file, '--data', server.data);
    };
    const login = { waypostLogin: CORP_READER, waypostSecret: CORP_PASSWORD };
    const nobody = probed({});
    assert.match(nobody.stderr, /ends with unwillingToPerform.*: see waypostLogin and waypostSecret$/m);
    assert.equal(nobody.status, 77);
    const wrong = probed({ ...login, waypostSecret: 'wrong' });
    assert.match(wrong.stderr, /the bind as .* is refused: 49 .*: see waypostLogin and waypostSecret$/m);
    assert.equal(wrong.status, 77);
    assert.equal(probed(login).status, 0);
    await ldap.add('cn=corp,ou=Sources,ou=Waypost,o=internet', { ...entry, ...login });
    await until(
      'ann is here',
      async () => waypost('user', 'show', 'ann@corp.example', '--data', server.data).status === 0,
    );
    const change = waypost('user', 'remove', 'ann@corp.example', '--data', server.data);
    assert.match(change.stderr, /mirrored from corp: change it at ldap:.*dn: uid=ann,.*changetype: delete/s);
    assert.equal(change.status, 77);
  } finally {
    await ldap.unbind();
    await corp.stop();
  }
});
