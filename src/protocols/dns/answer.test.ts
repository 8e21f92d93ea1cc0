import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../base/failure.ts';
import { silentLog } from '../../base/log.ts';
import { RCODE, type RecordType } from '../../wire/dns/codes.ts';
import { type DnsMessage, decodeMessage, encodeMessage } from '../../wire/dns/message.ts';
import { queryMessage } from '../../wire/dns/testing.ts';
import { signTsig } from '../../wire/dns/tsig.ts';
import { lookUp, type ZoneAnswer } from '../../zones/records.ts';
import { namesOf, settingsOf } from '../../zones/testing.ts';
import { type Answer, type AnswerParts, createAnswer, type Transport } from './answer.ts';
import { Cookies } from './cookies.ts';
import { REMEMBERED_BYTES } from './limits.ts';
import { ResponseRate } from './rate.ts';

const names = namesOf(['acme.example'], 1);
const zone = { names, settings: settingsOf('mail.acme.example', ['192.0.2.1']) };

/** The one message that comes back. */
function answered(answer: Answer, octets: Uint8Array, transport: Transport = 'udp'): Uint8Array | undefined {
  const sizeBytes = transport === 'udp' ? 1232 : 65_535;
  const reply = answer(octets, { transport, sizeBytes, peerAddress: '192.0.2.7' });
  assert.ok(reply === undefined || reply instanceof Uint8Array);
  return reply;
}

/** An answerer whose look-ups and revision a test can turn. */
function answerer(parts: Partial<AnswerParts> = {}) {
  const state = { lookUps: 0, revision: 1, rcodes: [] as (number | string)[] };
  const answer = createAnswer({
    lookUp(name, type) {
      state.lookUps++;
      return lookUp(name, type, zone);
    },
    revision: () => state.revision,
    log: silentLog,
    onAnswer: (rcode) => state.rcodes.push(rcode),
    ...parts,
  });
  const ask = (name: string, type: RecordType, id = 1): DnsMessage => {
    const octets = answered(answer, encodeMessage(queryMessage(id, name, type)));
    assert.ok(octets);
    return decodeMessage(octets);
  };
  return { state, answer, ask };
}

test('an answer is remembered for other ids, and forgotten with the next revision', () => {
  const { state, ask } = answerer();
  const first = ask('acme.example', 'MX', 1);
  assert.deepEqual(ask('acme.example', 'MX', 65_535), { ...first, id: 65_535 });
  assert.equal(state.lookUps, 1);
  state.revision = 2;
  ask('acme.example', 'MX');
  assert.equal(state.lookUps, 2);
  ask('Acme.example', 'MX');
  ask('acme.example', 'NS');
  assert.equal(state.lookUps, 4);
});

test('what is answered after a revision is never from before it, whichever of the two is seen first', () => {
  // The look-up sees the commit before the revision is published: right, and asked again afterwards.
  let found: ZoneAnswer = { result: 'outside' };
  const { state, ask } = answerer({ lookUp: () => found });
  assert.equal(ask('acme.example', 'MX').rcode, RCODE.REFUSED);
  found = lookUp('acme.example', 'MX', zone);
  assert.equal(ask('acme.example', 'MX').rcode, RCODE.REFUSED);
  state.revision = 2;
  assert.equal(ask('acme.example', 'MX').rcode, RCODE.NOERROR);
});

test('a database that does not answer is SERVFAIL, and is not remembered', () => {
  let broken = true;
  const { ask, state } = answerer({
    lookUp(name, type) {
      if (broken) throw new Failure('unavailable', 'The store does not answer, try again later');
      return lookUp(name, type, zone);
    },
  });
  const failed = ask('acme.example', 'MX');
  assert.equal(failed.rcode, RCODE.SERVFAIL);
  assert.equal(failed.authoritative, false);
  assert.deepEqual(failed.questions, [{ name: 'acme.example', type: 'MX', class: 1 }]);
  broken = false;
  assert.equal(ask('acme.example', 'MX').rcode, RCODE.NOERROR);
  assert.deepEqual(state.rcodes, [RCODE.SERVFAIL, RCODE.NOERROR]);
});

test('a bug in a look-up is SERVFAIL too', () => {
  const { ask } = answerer({
    lookUp() {
      throw new TypeError('undefined is not a zone');
    },
  });
  assert.equal(ask('acme.example', 'MX').rcode, RCODE.SERVFAIL);
});

test('a flood of different names does not fill the memory, and others are answered meanwhile', () => {
  const { state, ask } = answerer();
  // An answer takes more than so many octets, with what keeps it.
  const count = Math.floor(REMEMBERED_BYTES / 400);
  for (let i = 0; i < count; i++) ask(`x${i}.acme.example`, 'MX');
  const before = state.lookUps;
  ask(`x${count - 1}.acme.example`, 'MX');
  assert.equal(state.lookUps, before);
  ask('x0.acme.example', 'MX');
  assert.equal(state.lookUps, before + 1);
});

test('a query that is too large is not read; padding makes no other answer', () => {
  const { answer, state } = answerer();
  const padded = (length: number) => {
    const query = queryMessage(1, 'acme.example', 'MX');
    const options = [{ code: 12, data: new Uint8Array(length) }];
    return encodeMessage({ ...query, edns: { udpSizeBytes: 1232, version: 0, dnssecOk: false, options } });
  };
  const rcode = (length: number) => decodeMessage(answered(answer, padded(length), 'tcp')!).rcode;
  assert.deepEqual([rcode(1000), rcode(1000), rcode(5000)], [RCODE.NOERROR, RCODE.NOERROR, RCODE.FORMERR]);
  assert.equal(rcode(900), RCODE.NOERROR);
  assert.equal(state.lookUps, 1);
});

test('a query full of records is refused by its header', () => {
  const { answer, state } = answerer();
  const query = queryMessage(1, 'acme.example', 'MX');
  const additional = { name: 'a', class: 1, ttl: 1, type: 'TYPE250', data: new Uint8Array() } as const;
  const rcode = (count: number) =>
    decodeMessage(answered(answer, encodeMessage({ ...query, additionals: new Array(count).fill(additional) }))!).rcode;
  assert.deepEqual([rcode(2), rcode(20)], [RCODE.NOERROR, RCODE.FORMERR]);
  assert.equal(state.lookUps, 1);
});

test('a query with an OPT record gets one, whatever else is wrong with it', () => {
  const { answer } = answerer();
  const query = queryMessage(1, 'acme.example', 'MX');
  const broken: [what: string, octets: Uint8Array, rcode: number][] = [
    ['another opcode', encodeMessage({ ...query, opcode: 9 }), RCODE.NOTIMP],
    ['an update', encodeMessage({ ...query, opcode: 5 }), RCODE.REFUSED],
    ['no question', encodeMessage({ ...query, questions: [] }), RCODE.FORMERR],
    ['two questions', encodeMessage({ ...query, questions: [...query.questions, ...query.questions] }), RCODE.FORMERR],
    ['octets behind the end', Buffer.concat([encodeMessage(query), Buffer.from([0])]), RCODE.FORMERR],
    ['a transfer over UDP', encodeMessage(queryMessage(1, 'acme.example', 'AXFR')), RCODE.FORMERR],
    ['a foreign name', encodeMessage(queryMessage(1, 'foreign.test', 'MX')), RCODE.REFUSED],
    ['another class', encodeMessage({ ...query, questions: [{ ...query.questions[0]!, class: 3 }] }), RCODE.REFUSED],
  ];
  for (const [what, octets, rcode] of broken) {
    const message = decodeMessage(answered(answer, octets)!);
    assert.deepEqual([message.rcode, message.edns?.udpSizeBytes], [rcode, 1232], what);
  }
  const edns = { udpSizeBytes: 1232, version: 1, dnssecOk: true, options: [] };
  for (const opcode of [0, 9]) {
    const message = decodeMessage(answered(answer, encodeMessage({ ...query, opcode, edns }))!);
    assert.deepEqual([message.rcode, message.edns?.version, message.edns?.dnssecOk], [RCODE.BADVERS, 0, true]);
  }
});

test('NOTIFY: a server of the zone is thanked, others are refused, and neither answer is remembered', () => {
  const heard: string[] = [];
  const { answer, state } = answerer({
    notified(zone, peer) {
      if (zone === 'broken.example') throw new Failure('unavailable', 'The store does not answer, try again later');
      heard.push(`${zone} ${peer}`);
      return zone === 'corp.example' && peer === '192.0.2.53';
    },
  });
  const said = (query: DnsMessage, peerAddress = '192.0.2.53') => {
    const reply = answer(encodeMessage(query), { transport: 'udp', sizeBytes: 1232, peerAddress });
    assert.ok(reply instanceof Uint8Array);
    return decodeMessage(reply);
  };
  const soa = { mname: 'a', rname: 'b', serial: 9, refresh: 1, retry: 1, expire: 1, minimum: 1 };
  const record = { name: 'corp.example', class: 1, ttl: 1, type: 'SOA', ...soa } as const;
  const notify = (name: string, more: Partial<DnsMessage> = {}): DnsMessage => ({
    ...queryMessage(5, name, 'SOA', { opcode: 4, authoritative: true }),
    answers: [record],
    ...more,
  });
  const good = said(notify('Corp.example'));
  assert.deepEqual(
    [good.id, good.opcode, good.rcode, good.authoritative, good.questions[0]?.name, good.answers.length],
    [5, 4, RCODE.NOERROR, true, 'Corp.example', 0],
  );
  assert.equal(said(notify('Corp.example'), '192.0.2.54').rcode, RCODE.REFUSED);
  assert.equal(said(notify('Corp.example')).rcode, RCODE.NOERROR);
  assert.deepEqual(heard, ['corp.example 192.0.2.53', 'corp.example 192.0.2.54', 'corp.example 192.0.2.53']);
  const question = { name: 'corp.example', type: 'SOA', class: 1 } as const;
  for (const [query, rcode] of [
    [notify('other.example'), RCODE.REFUSED],
    [notify('broken.example'), RCODE.SERVFAIL],
    [notify('', { questions: [{ ...question, type: 'MX' }] }), RCODE.REFUSED],
    [notify('', { questions: [{ ...question, class: 3 }] }), RCODE.REFUSED],
    [notify('', { questions: [] }), RCODE.FORMERR],
    [notify('', { questions: [question, question] }), RCODE.FORMERR],
  ] as const)
    assert.equal(said(query).rcode, rcode);
  assert.equal(state.lookUps, 0);
  assert.equal(
    answer(encodeMessage(notify('a', { isResponse: true })), { transport: 'udp', sizeBytes: 512, peerAddress: '' }),
    undefined,
  );
});

test('a cookie: ours comes back, whole or remembered; another length is a malformed query; ours is not limited', () => {
  const { answer, state } = answerer({
    cookies: new Cookies(new Uint8Array(32), () => 0),
    rate: new ResponseRate(() => 0),
  });
  const query = queryMessage(7, 'acme.example', 'MX');
  const withCookie = (cookie: Uint8Array) =>
    encodeMessage({
      ...query,
      edns: { udpSizeBytes: 1232, version: 0, dnssecOk: false, options: [{ code: 10, data: cookie }] },
    });
  const ask = (cookie: Uint8Array) => {
    const reply = answered(answer, withCookie(cookie));
    return reply && decodeMessage(reply);
  };
  const client = Buffer.from('12345678');
  const first = ask(client)!;
  const given = first.edns!.options[0]!;
  assert.deepEqual([given.code, given.data.length, first.answers.length], [10, 24, 1]);
  assert.deepEqual(Buffer.from(given.data.subarray(0, 8)), client);
  assert.deepEqual(ask(client), first);
  for (const length of [0, 7, 9, 15, 41]) assert.equal(ask(Buffer.alloc(length))?.rcode, RCODE.FORMERR, String(length));
  for (let i = 0; i < 50; i++) assert.equal(ask(Buffer.from(given.data))?.answers.length, 1);
  const others = Array.from({ length: 22 }, () => ask(client));
  assert.deepEqual(
    others.slice(-4).map((reply) => reply && [reply.truncated, reply.answers.length, reply.edns?.options.length]),
    [undefined, [true, 0, 1], undefined, [true, 0, 1]],
  );
  assert.deepEqual(new Set(state.rcodes), new Set([0, 1, 'drop', 'truncate']));
  // Over TCP nobody has another's address.
  assert.equal(decodeMessage(answered(answer, encodeMessage(query), 'tcp')!).answers.length, 1);
});

test('what is remembered is what would be made', () => {
  const { answer } = answerer();
  const spelled = fc.constantFrom(
    'acme.example',
    'ACME.example',
    'mail.acme.example',
    'x.acme.example',
    'foreign.test',
  );
  const edns = fc.option(
    fc.record({
      udpSizeBytes: fc.constantFrom(0, 512, 700, 1232, 65_535),
      version: fc.constantFrom(0, 0, 0, 1),
      dnssecOk: fc.boolean(),
      options: fc.array(fc.record({ code: fc.constantFrom(3, 10, 12), data: fc.uint8Array({ maxLength: 40 }) }), {
        maxLength: 2,
      }),
    }),
    { nil: undefined },
  );
  const query = fc.record({ name: spelled, type: fc.constantFrom<RecordType>('MX', 'A', 'ANY', 'SOA'), edns });
  fc.assert(
    fc.property(query, fc.boolean(), fc.nat(0xffff), ({ name, type, edns: opt }, recursionDesired, id) => {
      const octets = encodeMessage({ ...queryMessage(id, name, type), recursionDesired, edns: opt });
      const fresh = answered(answerer().answer, octets);
      assert.deepEqual(answered(answer, octets), fresh);
      assert.deepEqual(answered(answer, octets), fresh);
    }),
    { numRuns: 2000 },
  );
});

test('whatever comes, nothing is thrown, and what goes back is a response with the id of its query', () => {
  const { answer } = answerer();
  const name = fc.constantFrom('acme.example', 'mail.ACME.example', 'x.acme.example', 'example', '.');
  const query = fc
    .tuple(fc.nat(0xffff), name, fc.constantFrom<RecordType>('A', 'MX', 'ANY', 'OPT', 'AXFR', 'TYPE0'))
    .map(([id, qname, type]) => encodeMessage(queryMessage(id, qname, type)));
  const flips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.tuple(query, flips, fc.nat(3)).map(([octets, all, cut]) => {
      for (const [at, octet] of all) octets[at % octets.length] = octet;
      return octets.subarray(0, octets.length - cut);
    }),
  );
  fc.assert(
    fc.property(hostile, fc.constantFrom('udp' as const, 'tcp' as const), (octets, transport) => {
      const reply = answered(answer, octets, transport);
      if (octets.length < 12 || (octets[2]! & 0x80) !== 0) return assert.equal(reply, undefined);
      assert.ok(reply);
      const message = decodeMessage(reply);
      assert.equal(message.isResponse, true);
      assert.equal(message.id, (octets[0]! << 8) | octets[1]!);
      assert.equal(message.recursionAvailable, false);
      assert.ok(message.rcode !== RCODE.SERVFAIL);
    }),
    { numRuns: 10_000 },
  );
});

test('who is refused a transfer, or signs with a key that is none, is limited as others are', () => {
  const { answer, state } = answerer({
    rate: new ResponseRate(() => 0),
    transfers: { key: () => undefined, give: () => ({ rcode: RCODE.REFUSED }) },
  });
  const transfer = encodeMessage(queryMessage(7, 'acme.example', 'IXFR'));
  const key = { name: 'none.example', algorithm: 'hmac-sha256', secret: Buffer.from('a secret') } as const;
  const signed = signTsig(encodeMessage(queryMessage(8, 'acme.example', 'SOA')), key, { at: 1 }).octets;
  for (const [octets, rcode] of [
    [transfer, RCODE.REFUSED],
    [signed, RCODE.NOTAUTH],
  ] as const) {
    state.rcodes.length = 0;
    const replies = Array.from({ length: 40 }, () => answered(answer, octets));
    const sent = replies.filter((reply) => reply !== undefined);
    assert.ok(sent.length <= 20, String(sent.length));
    for (const reply of sent) assert.equal(decodeMessage(reply!).rcode, rcode);
    assert.ok(state.rcodes.includes('drop'));
  }
});
