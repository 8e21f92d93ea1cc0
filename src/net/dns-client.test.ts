import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { DnsTestServer } from '../../test/support/dns-server.ts';
import { RCODE } from '../wire/dns/codes.ts';
import { type DnsMessage, decodeMessage, encodeMessage } from '../wire/dns/message.ts';
import type { ResourceRecord } from '../wire/dns/rdata.ts';
import { refusalByTsig, signTsig, type TsigKey, verifyTsig } from '../wire/dns/tsig.ts';
import { DnsClient, type DnsClientOptions } from './dns-client.ts';

async function open(context: TestContext, options: DnsClientOptions = {}) {
  const server = await DnsTestServer.start('127.0.0.2');
  const resolver = new DnsClient({ servers: [server.server], ...options });
  context.after(async () => {
    resolver.close();
    await server.close();
  });
  return { server, resolver, client: resolver };
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
  const resolver = new DnsClient({ servers: ['127.0.0.2:1'], timeoutMs: 100 });
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

test('an answer that is cut is asked for over TCP; of a set 20 records are read, the best of MX', async (context) => {
  const { server, resolver } = await open(context);
  const records = Array.from({ length: 90 }, (_, i) => {
    return { type: 'MX', preference: 100 - i, exchange: `mail-${i}.a-rather-long-name.example` } as const;
  });
  server.script('acme.example', 'MX', { records, truncated: true });
  const answer = await resolver.mx('acme.example');
  assert.ok(answer.result === 'found');
  assert.deepEqual(
    answer.exchanges.map(({ preference }) => preference),
    Array.from({ length: 20 }, (_, i) => 11 + i),
  );
  assert.deepEqual(
    server.queries.map(({ transport }) => transport),
    ['udp', 'tcp'],
  );
});

test('addresses of both families are found, and one family is enough', async (context) => {
  const { server, resolver } = await open(context);
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
  new DnsClient().close();
  assert.throws(() => new DnsClient({ servers: ['resolver.example'] }));
});

/** A server that does with each datagram what a test says. */
async function lying(context: TestContext, behave: (query: DnsMessage, say: (octets: Uint8Array) => void) => void) {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  context.after(() => void socket.close());
  await once(socket, 'listening');
  let asked = 0;
  socket.on('message', (octets, { port, address }) => {
    asked++;
    behave(decodeMessage(octets), (answer) => socket.send(answer, port, address));
  });
  const client = new DnsClient({ servers: [`127.0.0.1:${socket.address().port}`], timeoutMs: 10_000 });
  context.after(() => client.close());
  return { client, asked: () => asked, server: { address: '127.0.0.1', port: socket.address().port } };
}

const mxOf = (query: DnsMessage, exchange: string): DnsMessage => {
  const [question] = query.questions;
  const record = { name: question!.name, class: 1, ttl: 0, type: 'MX', preference: 1, exchange } as const;
  return { ...query, isResponse: true, answers: [record] };
};

test('another id, another question, a query, another opcode: passed over; the answer counts', async (context) => {
  const { client, asked } = await lying(context, (query, say) => {
    const [question] = query.questions;
    const lie = mxOf(query, 'liar.example');
    const lies: DnsMessage[] = [
      { ...lie, id: query.id ^ 1 },
      { ...lie, isResponse: false },
      { ...lie, opcode: 4 },
      { ...lie, questions: [{ ...question!, name: 'other.example' }] },
      { ...lie, questions: [{ ...question!, name: 'ACME.example' }] },
      { ...lie, questions: [{ ...question!, type: 'A' }] },
      { ...lie, questions: [{ ...question!, class: 3 }] },
      { ...lie, questions: [question!, question!] },
      { ...lie, questions: [] },
    ];
    for (const each of lies) say(encodeMessage(each));
    say(Uint8Array.of(1, 2, 3));
    say(encodeMessage(mxOf(query, 'mail.example')));
  });
  const exchanges = [{ preference: 1, exchange: 'mail.example' }];
  assert.deepEqual(await client.mx('acme.example'), { result: 'found', exchanges });
  assert.equal(asked(), 1);
});

test('what another server sends to our port is not heard', async (context) => {
  const forger = createSocket('udp4').bind(0, '127.0.0.1');
  context.after(() => void forger.close());
  await once(forger, 'listening');
  const server = createSocket('udp4').bind(0, '127.0.0.1');
  context.after(() => void server.close());
  await once(server, 'listening');
  server.on('message', (octets, { port }) => {
    // It knows all but the address and port of the server.
    forger.send(encodeMessage(mxOf(decodeMessage(octets), 'liar.example')), port, '127.0.0.1');
  });
  const client = new DnsClient({ servers: [`127.0.0.1:${server.address().port}`], timeoutMs: 200 });
  context.after(() => client.close());
  assert.deepEqual(await client.mx('acme.example'), { result: 'unavailable', reason: 'ETIMEOUT' });
});

test('a malformed answer is unavailable; the server is asked again', async (context) => {
  const { client, asked } = await lying(context, (query, say) => {
    const octets = encodeMessage(mxOf(query, 'mail.example'));
    say(octets.subarray(0, octets.length - 1));
  });
  assert.deepEqual(await client.mx('acme.example'), { result: 'unavailable', reason: 'a malformed answer' });
  assert.equal(asked(), 2);
});

test('fuzzed answers: found, nothing found or unavailable, never an error', async (context) => {
  const bytes = fc.sample(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }), 300);
  const { client } = await lying(context, (query, say) => {
    const octets = encodeMessage(mxOf(query, 'mail.example')).slice();
    for (const [at, octet] of bytes.pop() ?? []) octets[2 + (at % (octets.length - 2))] = octet;
    say(octets);
    say(encodeMessage({ ...query, isResponse: true, rcode: RCODE.SERVFAIL }));
  });
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => client.mx(`n${i}.example`)));
  for (const { result } of answers) assert.match(result, /^(found|null-mx|no-name|no-data|unavailable)$/);
});

test('a server without EDNS is asked again without it', async (context) => {
  const { client, asked } = await lying(context, (query, say) => {
    const bad = { ...query, isResponse: true, rcode: RCODE.FORMERR, questions: [], edns: undefined };
    say(encodeMessage(query.edns === undefined ? mxOf(query, 'mail.example') : bad));
  });
  assert.equal((await client.mx('acme.example')).result, 'found');
  assert.equal(asked(), 2);
});

test('aliases in an answer are followed, eight of them', async (context) => {
  const { server, client } = await open(context);
  const chain = (length: number): ResourceRecord[] => [
    ...Array.from({ length }, (_, i): ResourceRecord => {
      return {
        name: i === 0 ? 'acme.example' : `n${i}.example`,
        class: 1,
        ttl: 0,
        type: 'CNAME',
        target: `N${i + 1}.example`,
      };
    }),
    { name: `n${length}.example`, class: 1, ttl: 0, type: 'MX', preference: 1, exchange: 'mail.example' },
  ];
  server.script('acme.example', 'MX', { records: chain(8) });
  assert.equal((await client.mx('acme.example')).result, 'found');
  server.script('acme.example', 'MX', { records: chain(9) });
  assert.equal((await client.mx('acme.example')).result, 'unavailable');
  server.script('acme.example', 'MX', { records: chain(1).slice(0, 1) });
  assert.equal((await client.mx('acme.example')).result, 'no-data');
});

test('a question to servers of choice: one after another, without recursion, what it says as it is', async (context) => {
  const says = await lying(context, (query, say) => {
    const name = query.questions[0]!.name;
    const answers = Array.from({ length: 30 }, (_, i): ResourceRecord => {
      return { name, class: 1, ttl: 0, type: 'TXT', strings: [`${i} ${query.recursionDesired}`] };
    });
    say(encodeMessage({ ...query, isResponse: true, authoritative: true, authenticData: true, answers }));
  });
  const refuses = await lying(context, (query, say) => {
    say(encodeMessage({ ...query, isResponse: true, rcode: RCODE.REFUSED }));
  });
  const reply = await says.client.ask('acme.example', 'TXT', { servers: [refuses.server, says.server] });
  assert.ok('rcode' in reply);
  assert.deepEqual([reply.rcode, reply.authoritative, reply.authenticData, reply.answers.length], [0, true, true, 20]);
  assert.ok(reply.answers[0]?.type === 'TXT' && reply.answers[0].strings[0] === '0 false');
  assert.deepEqual([refuses.asked(), says.asked()], [1, 1]);
  const all = await says.client.ask('acme.example', 'TXT', { recordsMax: 100 });
  assert.ok('rcode' in all && all.answers.length === 30);
  const no = await says.client.ask('acme.example', 'TXT', { servers: [refuses.server] });
  assert.ok('rcode' in no && no.rcode === RCODE.REFUSED);
});

test('signed questions and notifications: only an answer with the signature counts', async (context) => {
  const key: TsigKey = { name: 'ours.example', algorithm: 'hmac-sha256', secret: Buffer.from('secret') };
  const keys = (name: string) => (name === key.name ? key : undefined);
  const server = createSocket('udp4').bind(0, '127.0.0.1');
  context.after(() => void server.close());
  await once(server, 'listening');
  let signs = true;
  server.on('message', (octets, { port }) => {
    const now = Math.floor(Date.now() / 1000);
    const verified = verifyTsig(octets, keys, { now });
    assert.ok(verified !== undefined);
    if ('error' in verified) return server.send(refusalByTsig(octets, verified, now), port, '127.0.0.1');
    const query = decodeMessage(octets);
    const answer = encodeMessage({ ...query, isResponse: true, answers: [], additionals: [], edns: undefined });
    const signed = signTsig(answer, key, { at: now, request: verified.mac }).octets;
    return server.send(signs ? signed : answer, port, '127.0.0.1');
  });
  const at = { address: '127.0.0.1', port: server.address().port };
  const client = new DnsClient({ timeoutMs: 10_000 });
  context.after(() => client.close());
  const soa = await client.ask('acme.example', 'SOA', { servers: [at], key });
  assert.ok('rcode' in soa && soa.rcode === 0);
  const told = await client.notify(at, 'acme.example', { key });
  assert.ok('rcode' in told && told.rcode === 0);
  const forged = await client.notify(at, 'acme.example', { key: { ...key, secret: Buffer.from('x') } });
  assert.deepEqual(forged, { unavailable: 'NOTAUTH (BADSIG)' });
  signs = false;
  assert.deepEqual(await client.notify(at, 'acme.example', { key }), { unavailable: 'NOERROR, not signed' });
});
