// /v1 as a program elsewhere uses it: curl over HTTPS, which trusts the server's own authority and nothing else.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { Attribute, Change, Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { createTestEstate, type TestEstate } from '../src/estate/estate.ts';
import { metricsText } from './support/metrics.ts';
import { peer } from './support/peers.ts';
import { startWaypost } from './support/server.ts';
import { until } from './support/until.ts';

const run = promisify(execFile);
const { skip } = peer('curl');

describe('/v1', { skip, concurrency: false }, () => {
  let estate: TestEstate;
  let admin: AdminClient;
  let token: string;
  before(async () => {
    estate = await createTestEstate({ users: { 'ann@acme.example': 'secret' } });
    admin = new AdminClient(estate.data);
    token = (await admin.call('token.add', { name: 'ops', scopes: ['api'] })).token!;
  });
  after(() => estate?.close());

  /** What came, and `-w` in the last line: the status. */
  async function curl(door: 'http' | 'https', path: string, ...more: readonly string[]) {
    const ca = ['--cacert', join(estate.data, 'tls', 'ca.pem')];
    const url = `${door}://localhost:${estate.ports[door]}${path}`;
    const args = ['-sS', '--max-time', '180', ...ca, '-w', '\n%{http_code}', ...more, url];
    const { stdout } = await run('curl', args, { maxBuffer: 16 * 1024 * 1024 });
    const end = stdout.lastIndexOf('\n');
    return { status: Number(stdout.slice(end + 1)), text: stdout.slice(0, end) };
  }
  const bearer = (value = token): string[] => ['-H', `Authorization: Bearer ${value}`];
  const ask = (path: string, input: string, ...more: readonly string[]) =>
    curl('https', path, ...bearer(), '-d', input, ...more);

  test('it answers as the command does with --json, octet for octet', async () => {
    const command = await run(join(import.meta.dirname, '..', 'waypost'), [
      ...['user', 'list', '--json', '--data', estate.data],
    ]);
    assert.deepEqual(await ask('/v1/user/list', '{}'), { status: 200, text: command.stdout });
  });

  test('what it writes has the Directory Manager as its author, and is there at once', async () => {
    const added = await ask('/v1/user/add', '{"address":"bob@acme.example","password":"secret"}');
    assert.equal(added.status, 200, added.text);
    const { entries } = JSON.parse(added.text) as { entries: { dn: string }[] };
    assert.deepEqual(
      entries.map(({ dn }) => dn),
      ['uid=bob,ou=People,dc=acme,dc=example,o=internet'],
    );
    assert.equal((await ask('/v1/user/add', '{"address":"bob@acme.example"}')).status, 409);
    assert.equal((await ask('/v1/user/show', '{"address":"bob@acme.example"}')).status, 200);
  });

  test('every operation has its path', async () => {
    const names = ['status', 'domain/list', 'sync/status', 'queue/list', 'token/list', 'mailbox/check'];
    for (const name of names) assert.equal((await ask(`/v1/${name}`, '{}')).status, 200, name);
    assert.equal((await ask('/v1/route', '{"address":"ann@acme.example"}')).status, 200);
    assert.equal((await ask('/v1/dns/records', '{"domain":"acme.example"}')).status, 200);
  });

  test('a key that the operation does not have is named, and nothing is done', async () => {
    const wrong = [
      ['user/list', '{"domian":"acme.example"}', 'domian'],
      ['user/add', '{"address":"eve@acme.example","pasword":"battery staple"}', 'pasword'],
      ['user/remove', '{"address":"ann@acme.example","dryrun":true}', 'dryrun'],
      ['user/set', '{"address":"ann@acme.example","vacation":{"form":"2026-01-01"}}', 'vacation: .*form'],
      ['user/set', '{"address":"ann@acme.example","vacation":{"from":"tomorrow"}}', 'vacation.from: is neither a day'],
      ['queue/remove', '{"ids":["1"],"reports":true}', 'reports'],
      ['status', '{"verbose":true}', 'verbose'],
    ] as const;
    for (const [name, body, key] of wrong) {
      const answer = await ask(`/v1/${name}`, body);
      assert.equal(answer.status, 422, name);
      assert.match(answer.text, new RegExp(key), name);
    }
    assert.equal((await ask('/v1/user/show', '{"address":"eve@acme.example"}')).status, 404);
    assert.equal((await ask('/v1/user/show', '{"address":"ann@acme.example"}')).status, 200);
  });

  test('refusals: 401, 403, 404, 400, 413', async () => {
    const statusOf = async (path: string, ...more: string[]) => (await curl('https', path, ...more)).status;
    const phone = await admin.call('token.add', { account: 'ann@acme.example', name: 'phone', scopes: ['imap'] });
    assert.equal(await statusOf('/v1/user/list', '-d', '{}'), 401);
    assert.equal(await statusOf('/v1/user/list', '-d', '{}', ...bearer('wp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')), 401);
    assert.equal(await statusOf('/v1/user/list', '-d', '{}', ...bearer(phone.token!)), 403);
    assert.equal((await ask('/v1/no/such', '{}')).status, 404);
    assert.equal((await ask('/v1/user/list', 'x')).status, 400);
    const large = `{}${' '.repeat(1024 * 1024)}`;
    const file = ['-H', 'Content-Type: application/json', '--data-binary', '@-'];
    const child = run('curl', [
      ...['-sS', '--max-time', '180', '--cacert', join(estate.data, 'tls', 'ca.pem'), '-w', '\n%{http_code}'],
      ...[...bearer(), ...file, `https://localhost:${estate.ports.https}/v1/user/list`],
    ]);
    child.child.stdin!.on('error', () => {});
    child.child.stdin!.end(large);
    assert.match((await child).stdout, /\n413$/);
    // The connection that follows is served.
    assert.equal((await ask('/v1/status', '{}')).status, 200);
  });

  test('a token of who administers a domain opens what is of it, until it is taken away', async () => {
    await admin.call('user.add', { address: 'dan@acme.example' });
    await admin.call('domain.add', { domain: 'other.example' });
    await admin.call('user.add', { address: 'zoe@other.example' });
    const { token: desk } = await admin.call('token.add', {
      account: 'dan@acme.example',
      name: 'desk',
      scopes: ['api'],
    });
    const dan = 'uid=dan,ou=People,dc=acme,dc=example,o=internet';
    const acme = 'dc=acme,dc=example,o=internet';
    const as = (path: string, input: object) => curl('https', path, ...bearer(desk!), '-d', JSON.stringify(input));
    const statuses = async () => [
      (await as('/v1/user/list', {})).status,
      (await as('/v1/user/show', { address: 'ann@acme.example' })).status,
      (await as('/v1/user/add', { address: 'new@acme.example' })).status,
      (await as('/v1/user/show', { address: 'zoe@other.example' })).status,
      (await as('/v1/domain/add', { domain: 'more.example' })).status,
      (await as('/v1/status', {})).status,
      (await as('/v1/user/show', { address: 'dan@acme.example' })).status,
    ];
    assert.deepEqual(await statuses(), [403, 403, 403, 403, 403, 403, 200]);
    const cli = (...args: string[]) =>
      run(join(import.meta.dirname, '..', 'waypost'), [...args, '--data', estate.data]);
    const client = new Client({ url: estate.ldap.url });
    await client.bind(estate.ldap.bindDn, estate.ldap.password);
    const names = (operation: 'add' | 'delete') =>
      client.modify(
        acme,
        new Change({ operation, modification: new Attribute({ type: 'waypostAdministrator', values: [dan] }) }),
      );
    await names('add');
    assert.deepEqual(await statuses(), [200, 200, 200, 403, 403, 403, 200]);
    assert.match(
      (await cli('directory', 'access', '--as', dan, '--on', acme)).stdout,
      /^entry +read search compare +yes +"domain administrators" at o=internet\nentry +add proxy +no\nentry +delete +no +"reserved"/m,
    );
    const ann = `uid=ann,ou=People,${acme}`;
    const access = JSON.parse((await cli('directory', 'access', '--as', dan, '--on', ann, '--json')).stdout);
    assert.deepEqual(Object.keys(access), ['as', 'on', 'entry', 'attributes']);
    assert.deepEqual([access.as, access.on], [dan, ann]);
    const all = { dn: 'o=internet', name: 'domain administrators' };
    assert.deepEqual(Object.keys(access.entry).sort(), ['add', 'compare', 'delete', 'proxy', 'read', 'search']);
    assert.deepEqual(access.entry.read, { allowed: true, rule: all });
    assert.deepEqual(access.entry.proxy, { allowed: false, rule: null });
    assert.deepEqual(access.attributes.mailHost.write, {
      allowed: false,
      rule: { dn: 'o=internet', name: 'reserved' },
    });
    assert.deepEqual(
      [access.attributes.memberOf.read.allowed, access.attributes.memberOf.write.allowed],
      [true, false],
    );
    for (const rights of Object.values<Record<string, unknown>>(access.attributes))
      for (const right of ['compare', 'read', 'search', 'write']) assert.ok(right in rights, right);

    // Of a message to several, and of the queue, what is about its addresses.
    const held = [
      'uid=new,ou=People,dc=acme,dc=example,o=internet',
      'uid=zoe,ou=People,dc=other,dc=example,o=internet',
    ];
    for (const dn of held)
      await client.modify(
        dn,
        new Change({
          operation: 'replace',
          modification: new Attribute({ type: 'mailUserStatus', values: ['hold'] }),
        }),
      );
    const smtp = await SmtpClient.open({ host: estate.host, port: estate.ports.smtp });
    const to = ['ann@acme.example', 'new@acme.example', 'zoe@other.example'];
    await smtp.send('x@far.test', to, Buffer.from('Message-ID: <several@far.test>\r\n\r\nhello\r\n'));
    await smtp.quit();
    const recipients = (answer: { text: string }) =>
      [...new Set((JSON.parse(answer.text) as { recipient: string }[]).map(({ recipient }) => recipient))].sort();
    assert.deepEqual(recipients(await as('/v1/queue/list', {})), ['new@acme.example']);
    assert.deepEqual(recipients(await ask('/v1/queue/list', '{}')), ['new@acme.example', 'zoe@other.example']);
    assert.deepEqual(recipients(await as('/v1/trace', { what: 'several@far.test' })), to.slice(0, 2));
    assert.deepEqual(recipients(await ask('/v1/trace', '{"what":"several@far.test"}')), to);
    assert.equal((await as('/v1/trace', { what: 'zoe@other.example' })).status, 404);
    assert.equal((await as('/v1/queue/retry', {})).status, 403);

    // What goes to the world in the names of its people, and not what another domain's people and lists make of such mail.
    await admin.call('channel.pause', { name: 'smtp' });
    await admin.call('user.add', { address: 'yan@other.example' });
    await admin.call('user.set', { address: 'yan@other.example', forward: ['private@far.test'] });
    await admin.call('group.add', { address: 'list@other.example', member: ['member@far.test'] });
    const author = await SmtpClient.open(
      { host: estate.host, port: estate.ports.submission },
      { login: 'ann@acme.example', password: 'secret' },
    );
    const mail = ['world@far.test', 'yan@other.example', 'list@other.example', 'zoe@other.example'];
    await author.send('ann@acme.example', mail, Buffer.from('Subject: x\r\n\r\nhello\r\n'));
    await author.quit();
    const far = ['member@far.test', 'private@far.test', 'world@far.test'];
    // What yan sends on is there a moment after the 250.
    await until('the paused channel has all three', async () => {
      const paused = recipients(await ask('/v1/queue/list', '{"channel":"smtp"}'));
      return far.every((each) => paused.includes(each));
    });
    assert.deepEqual(recipients(await as('/v1/queue/list', {})), ['new@acme.example', 'world@far.test']);
    assert.deepEqual(recipients(await as('/v1/queue/list', { sender: 'ann@acme.example' })), ['world@far.test']);
    await admin.call('channel.resume', { name: 'smtp' });
    await names('delete');
    await client.unbind();
    assert.equal((await as('/v1/queue/list', {})).status, 403);
    assert.equal((await as('/v1/trace', { what: 'ann@acme.example' })).status, 403);
    assert.deepEqual(await statuses(), [403, 403, 403, 403, 403, 403, 200]);
    assert.match(
      (await cli('directory', 'access', '--as', dan, '--on', acme)).stdout,
      /^entry +read search compare .* no$/m,
    );
  });

  test('on port 80 there is none; metrics are for this machine there, and for the token on 443', async () => {
    assert.equal((await curl('http', '/v1/user/list', '-d', '{}', ...bearer())).status, 403);
    assert.match((await curl('http', '/metrics')).text, /^waypost_build_info/m);
    assert.equal((await curl('https', '/metrics')).status, 401);
    const { status, text } = await curl('https', '/metrics', ...bearer());
    assert.equal(status, 200);
    assert.match(text, /^waypost_logins_total\{door="http",outcome="accepted"\} \d+$/m);
    assert.equal((await curl('https', '/healthz')).status, 200);
  });

  test('a token that is removed opens nothing at the next request, on a connection that stays open too', async () => {
    const other = await admin.call('token.add', { name: 'short', scopes: ['api'] });
    const url = `https://localhost:${estate.ports.https}/v1/status`;
    const one = ['-o', '/dev/null', '-w', '%{http_code}\n', ...bearer(other.token!), '-d', '{}', url];
    const ca = ['--cacert', join(estate.data, 'tls', 'ca.pem')];
    assert.equal((await run('curl', ['-sS', ...ca, ...one])).stdout, '200\n');
    const remove = ['-o', '/dev/null', '-w', '%{http_code}\n', ...bearer(), '-d', '{"name":"short"}'];
    const { stdout } = await run('curl', [
      ...['-sS', ...ca, ...one, '--next', '-sS', ...ca, ...remove, url.replace('status', 'token/remove')],
      ...['--next', '-sS', ...ca, ...one],
    ]);
    assert.equal(stdout, '200\n200\n401\n');
  });

  // The last, because who has guessed wrong waits for each answer from then on.
  test('the fifth wrong token of a connection is its last', async () => {
    const url = `https://localhost:${estate.ports.https}/v1/status`;
    const ca = ['--cacert', join(estate.data, 'tls', 'ca.pem')];
    const wrong = ['-o', '/dev/null', '-w', '%{http_code} %{num_connects}\\n', ...bearer('wp_wrong'), '-d', '{}', url];
    const asked = Array.from({ length: 6 }, (_, i) => [...(i === 0 ? [] : ['--next']), '-sS', ...ca, ...wrong]).flat();
    const { stdout } = await run('curl', asked);
    assert.equal(stdout, `401 1\n${'401 0\n'.repeat(4)}401 1\n`);
  });
});

test('a client has so many connections at the HTTPS door as at every other, however little it says', async (context) => {
  const proxy = '127.0.0.77';
  const config = `[limits]\nconnections-per-peer = 2\n[proxy]\ntrusted = ["${proxy}/32"]\n`;
  const server = await startWaypost({ config });
  context.after(() => server.stop());
  const { host, port } = server.listeners.https;
  let closed = 0;
  const threeClosed = Promise.withResolvers<void>();
  const open = async (client: string): Promise<Socket> => {
    const socket = connect({ host, port, localAddress: proxy });
    context.after(() => socket.destroy());
    socket.on('error', () => {}).resume();
    socket.once('close', () => {
      if (++closed === 3) threeClosed.resolve();
    });
    await once(socket, 'connect');
    socket.write(`PROXY TCP4 ${client} 192.0.2.1 5000 443\r\n`);
    return socket;
  };
  const all: Socket[] = [];
  for (let i = 0; i < 5; i++) all.push(await open('198.51.100.7'));
  const other = await open('198.51.100.8');
  await threeClosed.promise;
  // Two of the five, whichever came first, are served.
  assert.equal(all.filter(({ destroyed }) => !destroyed).length, 2);
  assert.equal(other.destroyed, false);
  const text = await metricsText(server);
  assert.match(text, /^waypost_connections_refused_total\{listener="https"\} 3$/m);
  const [held] = all.filter(({ destroyed }) => !destroyed);
  const isOver = once(held!, 'close');
  assert.equal((await server.stop()).code, 0, 'a connection in its handshake does not hold the end up');
  await isOver;
});
