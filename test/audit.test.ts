// The audit of a running server: who tried, who changed what, whatever happens to the process.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Client } from 'ldapts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { audit, auditUntil } from './support/audit.ts';
import { administrator, domainDn, PASSWORD, populate } from './support/directory.ts';
import { kills } from './support/kills.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const waypost = resolve(import.meta.dirname, '../waypost');
const run = promisify(execFile);
const ROUNDS = kills(2);
/** Of changes that a round has acknowledged at least, on a slow machine too. */
const ROUND_MIN = 10;

async function logIn(server: Waypost, login: string, password: string): Promise<string> {
  const client = await ImapClient.open(server.listeners.imap);
  try {
    await client.command(`LOGIN "${login}" "${password}"`);
    return 'let in';
  } catch (error) {
    return (error as Error).message;
  } finally {
    client.destroy();
  }
}

test('who tried to log in, what an administrator did and what changed can be asked for', async (context) => {
  const server = await startWaypost();
  context.after(() => server.stop());
  const [ann] = await populate(server, 'acme.example', ['ann', 'bob']);
  assert.equal(await logIn(server, ann!.login.toUpperCase(), 'wrong'), await logIn(server, 'nobody@acme.example', 'x'));
  assert.equal(await logIn(server, ann!.login, PASSWORD), 'let in');
  const lines = await auditUntil(server, (all) => all.length === 2, '--account', ann!.login, '--peer', '127.0.0.1');
  assert.deepEqual(
    lines.map(({ at, ...line }) => line),
    [
      { login: 'ANN@ACME.EXAMPLE', result: 'wrong' },
      { login: 'ann@acme.example', result: 'ok' },
    ].map(({ login, result }) => ({
      event: 'login',
      door: 'imap',
      peer: '127.0.0.1',
      mechanism: 'password',
      login,
      account: 'ann@acme.example',
      result,
    })),
  );
  const [nobody] = await auditUntil(server, (all) => all.length === 1, '--account', 'nobody@acme.example');
  assert.deepEqual([nobody?.account, nobody?.result], [undefined, 'wrong']);

  await run(waypost, ['user', 'remove', 'bob@acme.example', '--data', server.data]);
  const bob = 'uid=bob,ou=People,dc=acme,dc=example,o=internet';
  const changes = await auditUntil(server, (all) => all.length === 2, '--account', bob);
  assert.deepEqual(
    changes.map(({ event, caller, result }) => [event, caller, result]),
    [
      ['change', 'cn=Directory Manager', 'ok'],
      ['change', 'cn=Directory Manager', 'ok'],
    ],
  );
  const all = await auditUntil(server, (lines) =>
    lines.some(
      ({ event, door, target, result }) =>
        event === 'admin' && [door, target, result].join() === 'admin,user.remove bob@acme.example,ok',
    ),
  );
  assert.ok(!JSON.stringify(all).includes(PASSWORD));

  // A name of any length makes a line of none: neither in the audit nor in the log.
  for (const octets of [8000, 60_000]) {
    const client = new Client({ url: `ldap://127.0.0.1:${server.listeners.ldap.port}` });
    await assert.rejects(client.bind(`uid=${'x'.repeat(octets)}`, 'wrong'));
    await client.unbind();
  }
  await auditUntil(server, (some) => some.some(({ login }) => login?.startsWith('uid=x') === true));
  for (const line of await audit(server)) assert.ok((line.login ?? '').length <= 512);
  await server.said(/uid=xxx/);
  for (const line of server.stderr().split('\n')) assert.ok(line.length < 2000, line.slice(0, 100));

  const directory = join(server.data, 'audit');
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  for (const name of readdirSync(directory)) assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600);
  const { stdout } = await run(waypost, [
    'audit',
    'list',
    '--since',
    '1h',
    '--account',
    ann!.login,
    '--data',
    server.data,
  ]);
  assert.match(
    stdout,
    /^AT +EVENT +DOOR +PEER +WHO +WHAT +RESULT\n.+ login +imap +127\.0\.0\.1 +ANN@ACME\.EXAMPLE +password ann@acme\.example +wrong\n/,
  );
});

test('a server that is killed again and again has each acknowledged change in its audit, once', async (context) => {
  const server = await startWaypost();
  context.after(() => server.stop());
  const acknowledged: string[] = [];
  await populate(server, 'acme.example', []);
  for (let round = 0; round < ROUNDS; round++) {
    const client = await administrator(server);
    let isKilled = false;
    const adding = (async () => {
      for (let i = 0; !isKilled; i++) {
        const dn = `ou=${round}-${i},${domainDn('acme.example')}`;
        await client.add(dn, { objectClass: 'organizationalUnit', ou: `${round}-${i}` });
        acknowledged.push(dn);
      }
    })().catch((error: unknown) => {
      if (!isKilled) throw error;
    });
    const enough = acknowledged.length + ROUND_MIN;
    await new Promise((later) => setTimeout(later, 150 + 200 * (round % 4)));
    await until('something to lose', () => acknowledged.length >= enough);
    isKilled = true;
    await server.kill9();
    await adding;
    await client.unbind().catch(() => {});
    await server.restart();
  }
  const last = acknowledged.at(-1);
  const lines = (await auditUntil(server, (all) => all.some(({ target }) => target === last))).filter(
    ({ event }) => event === 'change',
  );
  const targets = lines.map(({ target }) => target);
  assert.deepEqual(
    acknowledged.filter((dn) => targets.filter((target) => target === dn).length !== 1),
    [],
  );
  const revisions = lines.map(({ revision }) => revision!);
  assert.deepEqual(
    revisions,
    [...new Set(revisions)].sort((a, b) => a - b),
    'each once, in their order',
  );
});
