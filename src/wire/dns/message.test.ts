import assert from 'node:assert/strict';
import { test } from 'node:test';
import oracle from 'dns-packet';
import fc from 'fast-check';
import { SyntaxFailure } from '../../base/cursor.ts';
import { Failure } from '../../base/failure.ts';
import { ipv4Text, ipv6Text } from './address.ts';
import { DNS_HEADER_BYTES, DnsReader, DnsWriter } from './buffer.ts';
import { type DnsMessage, decodeDnsHeader, decodeMessage, encodeMessage } from './message.ts';
import { parseName } from './name.ts';
import type { ResourceRecord } from './rdata.ts';
import { queryMessage } from './testing.ts';

/** Values as literals make them: with a prototype. */
function plain<T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

// Few labels, in both cases, so that names share suffixes and compression has work.
const name = fc
  .array(fc.constantFrom('a', 'A', 'mail', 'acme', 'example', 'EXAMPLE', 'x'.repeat(63), 'we\\.ird', '\\000\\255'), {
    maxLength: 3,
  })
  .map((labels) => (labels.length === 0 ? '.' : labels.join('.')));
const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);
const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const latin1 = fc.uint8Array({ maxLength: 255 }).map((bytes) => String.fromCharCode(...bytes));

const rdata = fc.oneof(
  octets(4).map((bytes) => ({ type: 'A', address: ipv4Text(bytes) }) as const),
  octets(16).map((bytes) => ({ type: 'AAAA', address: ipv6Text(bytes) }) as const),
  fc.record({ type: fc.constantFrom('NS', 'CNAME', 'PTR'), target: name }),
  fc.record({ type: fc.constant('MX'), preference: u16, exchange: name }),
  fc.record({
    ...{ type: fc.constant('SOA'), mname: name, rname: name },
    ...{ serial: u32, refresh: u32, retry: u32, expire: u32, minimum: u32 },
  }),
  fc.record({ type: fc.constant('TXT'), strings: fc.array(latin1, { maxLength: 3 }) }),
  fc.record({ type: fc.constant('SRV'), priority: u16, weight: u16, port: u16, target: name }),
  fc.record({ type: fc.constant('CAA'), flags: u8, tag: latin1, value: latin1 }),
  fc.record({
    type: fc.constant('TLSA'),
    usage: u8,
    selector: u8,
    matching: u8,
    data: fc.uint8Array({ maxLength: 40 }),
  }),
  fc.record({ type: fc.constantFrom('TYPE43', 'TYPE250', 'TYPE65280'), data: fc.uint8Array({ maxLength: 40 }) }),
);
const record = fc
  .tuple(rdata, name, fc.nat(0x7fffffff))
  .map(([value, owner, ttl]) => ({ name: owner, class: 1, ttl, ...value }) as ResourceRecord);
const records = fc.array(record, { maxLength: 4 });
const edns = plain({
  udpSizeBytes: u16,
  version: fc.nat(255),
  dnssecOk: fc.boolean(),
  options: fc.array(plain({ code: u16, data: fc.uint8Array({ maxLength: 20 }) }), { maxLength: 2 }),
});
const question = plain({ name, type: fc.constantFrom('A', 'MX', 'ANY', 'AXFR', 'TYPE65'), class: u16 });
const message = fc
  .record({
    ...{ id: u16, isResponse: fc.boolean(), opcode: fc.nat(15), rcode: fc.nat(0xfff) },
    ...{ authoritative: fc.boolean(), truncated: fc.boolean(), recursionDesired: fc.boolean() },
    ...{ recursionAvailable: fc.boolean(), authenticData: fc.boolean(), checkingDisabled: fc.boolean() },
    ...{
      questions: fc.array(question, { maxLength: 2 }),
      answers: records,
      authorities: records,
      additionals: records,
    },
    edns: fc.option(edns, { nil: undefined }),
  })
  .map((value) => (value.edns === undefined ? { ...value, rcode: value.rcode & 15 } : { ...value }) as DnsMessage);

/** All but a SyntaxFailure is a bug of the codec. */
function decodeOrRefuse(bytes: Uint8Array): DnsMessage | undefined {
  try {
    return decodeMessage(bytes);
  } catch (error) {
    assert.ok(error instanceof SyntaxFailure, String(error));
    return undefined;
  }
}

test('what is encoded is what is decoded, the case of names included', () => {
  fc.assert(fc.property(message, (value) => assert.deepEqual(decodeMessage(encodeMessage(value)), value)));
});

test('a message cut anywhere, or with octets behind it, is refused', () => {
  fc.assert(
    fc.property(message, (value) => {
      const bytes = encodeMessage(value);
      for (let length = 0; length < bytes.length; length++) {
        assert.equal(decodeOrRefuse(bytes.subarray(0, length)), undefined, `cut at ${length}`);
      }
      assert.equal(decodeOrRefuse(Uint8Array.from([...bytes, 0])), undefined);
    }),
    { numRuns: 30 },
  );
});

test('flipped octets give another message or a SyntaxFailure, never another error', () => {
  const flips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(message, flips, (value, all) => {
      const bytes = encodeMessage(value);
      for (const [at, octet] of all) bytes[at % bytes.length] = octet;
      const decoded = decodeOrRefuse(bytes);
      if (decoded !== undefined) assert.deepEqual(decodeMessage(encodeMessage(decoded)), decoded);
    }),
    { numRuns: 2000 },
  );
});

test('random octets are refused or decoded', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => void decodeOrRefuse(bytes)),
    { numRuns: 5000 },
  );
  // Few different octets make more names and pointers.
  const small = fc.array(fc.constantFrom(0, 1, 2, 12, 14, 41, 0xc0), { maxLength: 80 });
  fc.assert(
    fc.property(small, (bytes) => void decodeOrRefuse(Uint8Array.from(bytes))),
    { numRuns: 5000 },
  );
});

test('counts are believed only as far as there are octets', () => {
  const bytes = encodeMessage(queryMessage(1, 'acme.example', 'MX'));
  for (const at of [4, 6, 8, 10]) {
    const lying = bytes.slice();
    lying[at] = 0xff;
    lying[at + 1] = 0xff;
    assert.throws(() => decodeMessage(lying), SyntaxFailure);
  }
});

test('OPT stands once, in the additional section, and belongs to the root', () => {
  const opt = (owner: readonly number[]) => [...owner, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
  const header = (answers: number, additionals: number) => [0, 1, 0, 0, 0, 0, 0, answers, 0, 0, 0, additionals];
  assert.equal(decodeMessage(Uint8Array.from([...header(0, 1), ...opt([0])])).edns?.udpSizeBytes, 1232);
  assert.throws(() => decodeMessage(Uint8Array.from([...header(0, 2), ...opt([0]), ...opt([0])])), SyntaxFailure);
  assert.throws(() => decodeMessage(Uint8Array.from([...header(0, 1), ...opt([1, 0x61, 0])])), SyntaxFailure);
  assert.throws(() => decodeMessage(Uint8Array.from([...header(1, 0), ...opt([0])])), SyntaxFailure);
});

test('a header alone can be read where the rest cannot', () => {
  assert.equal(decodeDnsHeader(new Uint8Array(11)), undefined);
  assert.equal(decodeDnsHeader(Uint8Array.from([0xab, 0xcd, 0x81, 0, ...new Array(8).fill(9)]))?.id, 0xabcd);
});

test('a response that is too large keeps whole record sets and says TC', () => {
  const address = (owner: string, i: number): ResourceRecord => ({
    ...{ name: owner, class: 1, ttl: 300, type: 'A', address: `192.0.2.${i}` },
  });
  const many = (owner: string, count: number) => Array.from({ length: count }, (_, i) => address(owner, i));
  const value: DnsMessage = {
    ...queryMessage(7, 'a.example', 'A', { isResponse: true }),
    answers: [...many('a.example', 5), ...many('b.example', 100)],
    authorities: many('c.example', 1),
    additionals: many('d.example', 1),
  };
  const small = decodeMessage(encodeMessage(value, 512));
  assert.equal(small.truncated, true);
  assert.deepEqual(small.answers, many('a.example', 5));
  assert.deepEqual([small.authorities, small.additionals], [[], []]);
  assert.deepEqual(small.edns, value.edns);
  assert.deepEqual(decodeMessage(encodeMessage(value)), value);
});

test('additional records that do not fit are left out without TC', () => {
  const additionals = Array.from({ length: 200 }, (_, i): ResourceRecord => {
    return { name: 'mail.example', class: 1, ttl: 300, type: 'A', address: `192.0.2.${i}` };
  });
  const value = { ...queryMessage(7, 'a.example', 'A'), additionals };
  const small = decodeMessage(encodeMessage(value, 512));
  assert.equal(small.truncated, false);
  assert.deepEqual(small.additionals, []);
});

test('a size is never exceeded, and only whole messages come out', () => {
  fc.assert(
    fc.property(message, fc.integer({ min: 512, max: 2000 }), (value, size) => {
      fc.pre(
        value.questions.length < 2 &&
          encodeMessage({ ...value, answers: [], authorities: [], additionals: [] }).length <= size,
      );
      const bytes = encodeMessage(value, size);
      assert.ok(bytes.length <= size);
      const decoded = decodeMessage(bytes);
      const complete =
        decoded.answers.length === value.answers.length && decoded.authorities.length === value.authorities.length;
      assert.equal(decoded.truncated, value.truncated || !complete);
    }),
  );
});

test('more than 65,535 octets are cut, not thrown', () => {
  const answers = Array.from({ length: 400 }, (_, i): ResourceRecord => {
    return { name: `n${i}.example`, class: 1, ttl: 1, type: 'TXT', strings: ['x'.repeat(250)] };
  });
  const decoded = decodeMessage(encodeMessage({ ...queryMessage(1, 'a', 'TXT'), answers }));
  assert.ok(decoded.truncated && decoded.answers.length > 200);
});

test('a name that was written before is pointed to, in the same case alone; of very many names some are written whole', () => {
  const record = (name: string): ResourceRecord => ({ name, class: 1, ttl: 1, type: 'A', address: '192.0.2.1' });
  const bytesOf = (names: readonly string[]): number => {
    const value = { ...queryMessage(1, 'mail.acme.example', 'A'), answers: names.map(record) };
    const bytes = encodeMessage(value);
    assert.deepEqual(decodeMessage(bytes), value);
    return bytes.length;
  };
  const rest = 14;
  const more = (...names: readonly string[]): number => bytesOf(names) - bytesOf([]) - rest * names.length;
  assert.equal(more('mail.acme.example'), 2);
  assert.equal(more('acme.example'), 2);
  assert.equal(more('www.acme.example'), 4 + 2);
  assert.equal(more('www.acme.example', 'www.acme.example'), 4 + 2 + 2);
  assert.equal(more('Mail.acme.example'), 5 + 2);
  assert.equal(more('acme.Example'), 'acme.Example'.length + 2);
  assert.equal(more('acme'), 'acme'.length + 2);
  const many = Array.from({ length: 2500 }, (_, i) => `n${i}.acme.example`);
  const whole = many.reduce((sum, name) => sum + name.length + 2, 0);
  assert.ok(more(...many, ...many.slice(0, 700)) < whole);
});

test('what has been taken back is not pointed to', () => {
  const writer = new DnsWriter();
  writer.octets(new Uint8Array(DNS_HEADER_BYTES));
  writer.name('acme.example');
  const kept = writer.offset;
  writer.name('www.acme.example');
  writer.cut(kept);
  writer.name('www.acme.example');
  const reader = new DnsReader(writer.finish());
  reader.skip(kept);
  assert.equal(reader.name(), 'www.acme.example');
});

test('a value that is none is refused at encoding', () => {
  const answer = (part: object) => () =>
    encodeMessage({
      ...queryMessage(1, 'a', 'A'),
      answers: [{ name: 'a', class: 1, ttl: 1, ...part } as unknown as ResourceRecord],
    });
  for (const part of [
    { type: 'A', address: '1.2.3' },
    { type: 'NS', target: 'a..b' },
    { type: 'TYPE70000', data: new Uint8Array() },
    { type: 'TXT', strings: ['x'.repeat(256)] },
  ]) {
    assert.throws(answer(part), Failure, JSON.stringify(part));
  }
});

test('another implementation reads what we write', () => {
  const value: DnsMessage = {
    ...queryMessage(4711, 'Acme.example', 'MX', { isResponse: true, authoritative: true, recursionDesired: true }),
    answers: [
      { name: 'Acme.example', class: 1, ttl: 300, type: 'MX', preference: 10, exchange: 'mail.acme.example' },
      { name: 'Acme.example', class: 1, ttl: 300, type: 'TXT', strings: ['v=spf1 mx -all', ''] },
    ],
    authorities: [
      {
        ...{ name: 'acme.example', class: 1, ttl: 60, type: 'SOA', mname: 'mail.acme.example' },
        ...{ rname: 'postmaster.acme.example', serial: 4_000_000_000, refresh: 1, retry: 2, expire: 3, minimum: 4 },
      },
    ],
    additionals: [
      { name: 'mail.acme.example', class: 1, ttl: 300, type: 'A', address: '192.0.2.1' },
      { name: 'mail.acme.example', class: 1, ttl: 300, type: 'AAAA', address: '2001:db8::1' },
    ],
  };
  const read = oracle.decode(Buffer.from(encodeMessage(value)));
  assert.equal(read.id, 4711);
  assert.equal(read.flag_aa, true);
  assert.deepEqual(read.questions, [{ name: 'Acme.example', type: 'MX', class: 'IN' }]);
  const datum = (answer: unknown) => (answer as { data: unknown }).data;
  assert.deepEqual(datum(read.answers?.[0]), { preference: 10, exchange: 'mail.acme.example' });
  assert.equal(String((datum(read.answers?.[1]) as Buffer[])[0]), 'v=spf1 mx -all');
  assert.equal((datum(read.authorities?.[0]) as { serial: number }).serial, 4_000_000_000);
  assert.equal(datum(read.additionals?.[0]), '192.0.2.1');
  assert.equal(datum(read.additionals?.[1]), '2001:db8::1');
  assert.equal(read.additionals?.[2]?.type, 'OPT');
});

test('we read what another implementation writes', () => {
  const host = fc.constantFrom('acme.example', 'mail.acme.example', 'a.b.c.example');
  const written = fc.oneof(
    fc.record({ type: fc.constant('A' as const), name: host, data: octets(4).map(ipv4Text) }),
    fc.record({ type: fc.constant('AAAA' as const), name: host, data: octets(16).map(ipv6Text) }),
    fc.record({ type: fc.constantFrom('NS' as const, 'CNAME' as const, 'PTR' as const), name: host, data: host }),
    fc.record({
      type: fc.constant('MX' as const),
      name: host,
      data: fc.tuple(u16, host).map(([preference, exchange]) => ({ preference, exchange })),
    }),
  );
  fc.assert(
    fc.property(u16, host, fc.array(written, { maxLength: 5 }), (id, qname, answers) => {
      const bytes = oracle.encode({
        ...{ type: 'response', id, flags: oracle.AUTHORITATIVE_ANSWER, questions: [{ type: 'MX', name: qname }] },
        answers: answers.map((answer) => ({ ...answer, ttl: 300 })),
      });
      const read = decodeMessage(bytes);
      assert.equal(read.id, id);
      assert.equal(read.authoritative, true);
      assert.deepEqual(read.questions, [{ name: qname, type: 'MX', class: 1 }]);
      const values = read.answers.map((one) => {
        if (one.type === 'MX') return { preference: one.preference, exchange: one.exchange };
        return 'address' in one ? one.address : 'target' in one ? one.target : undefined;
      });
      assert.deepEqual(
        values,
        answers.map((answer) => answer.data),
      );
    }),
  );
});

test('names are what a person writes, with or without the final dot', () => {
  assert.equal(parseName('Acme.Example.'), 'Acme.Example');
  assert.equal(parseName('.'), '.');
});
