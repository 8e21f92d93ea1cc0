import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { DnsTestServer } from '../../test/support/dns-server.ts';
import { Resolver, type ResolverOptions } from './resolver.ts';

async function open(context: TestContext, options: ResolverOptions = {}) {
  const server = await DnsTestServer.start('127.0.0.2');
  const resolver = new Resolver({ servers: [server.server], ...options });
  context.after(async () => {
    resolver.close();
    await server.close();
  });
  return { server, resolver };
}

test('MX records come by preference, in lower case', async (context) => {
  const { server, resolver } = await open(context);
  server.mx('acme.example', [20, 'B.example'], [10, 'a.EXAMPLE']);
  assert.deepEqual(await resolver.mx('acme.example'), {
    result: 'found',
    exchanges: [
      { preference: 10, exchange: 'a.example' },
      { preference: 20, exchange: 'b.example' },
    ],
  });
});

test('a null MX is seen as such, and only when it stands alone', async (context) => {
  const { server, resolver } = await open(context);
  server.mx('none.example', [0, '.']);
  server.mx('odd.example', [0, '.'], [10, 'a.example']);
  assert.deepEqual(await resolver.mx('none.example'), { result: 'null-mx' });
  const odd = await resolver.mx('odd.example');
  assert.deepEqual(odd, { result: 'found', exchanges: [{ preference: 10, exchange: 'a.example' }] });
});

test('no such name and no such record are answers', async (context) => {
  const { server, resolver } = await open(context);
  server.addresses('host.example', '192.0.2.1');
  assert.deepEqual(await resolver.mx('nobody.example'), { result: 'no-name' });
  assert.deepEqual(await resolver.mx('host.example'), { result: 'no-data' });
  assert.deepEqual(await resolver.addresses('nobody.example'), { result: 'no-name' });
  server.mx('acme.example', [10, 'a.example']);
  assert.deepEqual(await resolver.addresses('acme.example'), { result: 'no-data' });
});

test('a name that cannot be written in DNS does not exist', async (context) => {
  const { resolver } = await open(context);
  for (const name of [`${'x'.repeat(64)}.example`, 'a..example', 'x.'.repeat(130)]) {
    assert.deepEqual(await resolver.mx(name), { result: 'no-name' }, name);
  }
});

test('what the server cannot say is unavailable, never absent', async (context) => {
  const { server, resolver } = await open(context, { timeoutMs: 100 });
  for (const rcode of ['SERVFAIL', 'REFUSED', 'NOTIMP', 'FORMERR'] as const) {
    server.script('acme.example', 'any', { rcode });
    assert.equal((await resolver.mx('acme.example')).result, 'unavailable', rcode);
    assert.equal((await resolver.addresses('acme.example')).result, 'unavailable', rcode);
  }
});

test('a silent server is asked twice and is unavailable', async (context) => {
  const { server, resolver } = await open(context, { timeoutMs: 100 });
  server.script('acme.example', 'any', { silent: true });
  assert.deepEqual(await resolver.mx('acme.example'), { result: 'unavailable', reason: 'ETIMEOUT' });
  assert.equal(server.queries.length, 2);
});

test('a server that is not there is unavailable', async () => {
  const resolver = new Resolver({ servers: ['127.0.0.2:1'], timeoutMs: 100 });
  assert.equal((await resolver.mx('acme.example')).result, 'unavailable');
  resolver.close();
});

test('the deadline ends the wait, whatever is still under way', async (context) => {
  const { server, resolver } = await open(context, { timeoutMs: 60_000 });
  server.script('acme.example', 'any', { silent: true });
  const answer = await resolver.mx('acme.example', { deadlineMs: 50 });
  assert.deepEqual(answer, { result: 'unavailable', reason: 'no answer within 50 ms' });
  const addresses = await resolver.addresses('acme.example', { deadlineMs: 50 });
  assert.equal(addresses.result, 'unavailable');
});

test('a late answer within the time is an answer', async (context) => {
  const { server, resolver } = await open(context);
  server.script('acme.example', 'MX', { records: [{ type: 'MX', preference: 1, exchange: 'a' }], delayMs: 100 });
  assert.equal((await resolver.mx('acme.example', { deadlineMs: 10_000 })).result, 'found');
});

test('an answer that is cut is asked for over TCP', async (context) => {
  const { server, resolver } = await open(context);
  const records = Array.from({ length: 90 }, (_, i) => {
    return { type: 'MX', preference: i, exchange: `mail-${i}.a-rather-long-name.example` } as const;
  });
  server.script('acme.example', 'MX', { records, truncated: true });
  const answer = await resolver.mx('acme.example');
  assert.equal(answer.result === 'found' && answer.exchanges.length, 90);
  assert.deepEqual(
    server.queries.map(({ transport }) => transport),
    ['udp', 'tcp'],
  );
});

test('addresses of both families are found, and one family is enough', async (context) => {
  const { server, resolver } = await open(context, { timeoutMs: 100 });
  server.addresses('both.example', '192.0.2.1', '2001:db8::1', '192.0.2.2');
  assert.deepEqual(await resolver.addresses('both.example'), {
    result: 'found',
    addresses: ['2001:db8::1', '192.0.2.1', '192.0.2.2'],
  });
  server.addresses('half.example', '192.0.2.1');
  server.script('half.example', 'AAAA', { rcode: 'SERVFAIL' });
  assert.deepEqual(await resolver.addresses('half.example'), { result: 'found', addresses: ['192.0.2.1'] });
  // Nothing found, and one family could not be found out: the answer is unavailable.
  server.script('half.example', 'A', { records: [] });
  assert.equal((await resolver.addresses('half.example')).result, 'unavailable');
});

test('an address is its own answer', async (context) => {
  const { server, resolver } = await open(context);
  assert.deepEqual(await resolver.addresses('192.0.2.1'), { result: 'found', addresses: ['192.0.2.1'] });
  assert.deepEqual(await resolver.addresses('2001:db8::1'), { result: 'found', addresses: ['2001:db8::1'] });
  assert.equal(server.queries.length, 0);
});

test('each look-up asks anew: what changed is seen at once', async (context) => {
  const { server, resolver } = await open(context);
  assert.equal((await resolver.mx('acme.example')).result, 'no-name');
  server.mx('acme.example', [10, 'a.example']);
  assert.equal((await resolver.mx('acme.example')).result, 'found');
  server.forget('acme.example');
  assert.equal((await resolver.mx('acme.example')).result, 'no-name');
  assert.equal(server.queries.length, 3);
});

test('look-ups beyond the bounds wait for their turn, then are unavailable', async (context) => {
  const { server, resolver } = await open(context, { lookUpsMax: 2, waitingMax: 3 });
  server.script('slow.example', 'MX', { records: [{ type: 'MX', preference: 1, exchange: 'a' }], delayMs: 50 });
  const answers = await Promise.all(Array.from({ length: 8 }, () => resolver.mx('slow.example')));
  assert.deepEqual(
    answers.map(({ result }) => result),
    [...new Array(5).fill('found'), ...new Array(3).fill('unavailable')],
  );
  assert.equal((await resolver.mx('slow.example')).result, 'found');
});

test('closing ends what is under way and what waits', async (context) => {
  const { server, resolver } = await open(context, { lookUpsMax: 1, timeoutMs: 60_000 });
  server.script('acme.example', 'any', { silent: true });
  const answers = [resolver.mx('acme.example'), resolver.mx('acme.example')];
  resolver.close();
  for (const answer of await Promise.all(answers)) assert.equal(answer.result, 'unavailable');
  assert.equal((await resolver.mx('acme.example')).result, 'unavailable');
});

test('without configured servers the system is asked; a server that is no address is refused', () => {
  new Resolver().close();
  assert.throws(() => new Resolver({ servers: ['resolver.example'] }));
});
