import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, inPieces, mutatedOctets, pieceSizes } from '../../../test/support/nearly-right.ts';
import { Failure } from '../../base/failure.ts';
import { RCODE } from './codes.ts';
import { DnsFramer } from './framer.ts';
import { type DnsMessage, encodeMessage } from './message.ts';
import type { Rdata, ResourceRecord } from './rdata.ts';
import { queryMessage } from './testing.ts';
import { type TsigKey, TsigSeries, TsigSeriesCheck } from './tsig.ts';
import { decodeSoaResponse, ZoneTransfer } from './zone-transfer.ts';

const ZONE = 'corp.example';
const question = { id: 7, zone: ZONE };
const record = (name: string, rdata: Rdata): ResourceRecord => ({ name, class: 1, ttl: 300, ...rdata });
const soa = (serial = 1, name = ZONE): ResourceRecord =>
  record(name, { type: 'SOA', mname: 'a', rname: 'b', serial, refresh: 1, retry: 2, expire: 3, minimum: 4 });
const mx = (name: string): ResourceRecord => record(name, { type: 'MX', preference: 1, exchange: 'mail.example' });

function message(answers: readonly ResourceRecord[], more: Partial<DnsMessage> = {}): Uint8Array {
  const header = { isResponse: true, authoritative: true };
  return encodeMessage({ ...queryMessage(7, ZONE, 'AXFR', header), answers, ...more });
}

function taken(...messages: readonly Uint8Array[]) {
  const transfer = new ZoneTransfer(question, 10);
  const records = messages.flatMap((octets) => transfer.take(octets));
  return { names: records.map(({ name }) => name), serial: transfer.soa?.serial };
}

test('a zone in one message, in several, in the case of its server', () => {
  const whole = { names: [ZONE, 'a.example', ZONE], serial: 5 };
  assert.deepEqual(taken(message([soa(5), mx('a.example'), soa(5)])), whole);
  assert.deepEqual(taken(message([soa(5)]), message([mx('a.example')], { questions: [] }), message([soa(5)])), whole);
  assert.equal(taken(message([soa(5, 'Corp.Example'), soa(5)])).serial, 5);
  assert.equal(taken(message([soa(5), mx('a.example')])).serial, undefined);
});

const refused: readonly [what: string, messages: readonly Uint8Array[], said: RegExp][] = [
  ['refused', [message([], { rcode: RCODE.REFUSED })], /the server says REFUSED$/],
  ['no authority', [message([], { rcode: RCODE.NOTAUTH })], /the server says NOTAUTH$/],
  ['a code without a name', [message([], { rcode: 14 })], /the server says rcode 14$/],
  ['an error in the middle', [message([soa()]), message([], { rcode: RCODE.SERVFAIL })], /SERVFAIL$/],
  ['another id', [message([soa(), soa()], { id: 8 })], /answers another question$/],
  ['a query', [message([soa(), soa()], { isResponse: false })], /answers another question$/],
  ['another opcode', [message([soa(), soa()], { opcode: 4 })], /answers another question$/],
  [
    'another zone',
    [message([soa(), soa()], { questions: [{ name: 'x', type: 'AXFR', class: 1 }] })],
    /another question$/,
  ],
  [
    'another type',
    [message([soa(), soa()], { questions: [{ name: ZONE, type: 'SOA', class: 1 }] })],
    /another question$/,
  ],
  ['nothing', [message([])], /no records$/],
  ['no SOA first', [message([mx(ZONE), soa(), soa()])], /the first record is not its SOA record$/],
  ['a foreign SOA first', [message([soa(1, 'example'), soa(), soa()])], /the first record is not its SOA record$/],
  ['another SOA last', [message([soa(1), soa(2)])], /the zone has changed while it came$/],
  ['records behind the end', [message([soa(), soa(), mx(ZONE)])], /records follow the closing SOA record$/],
  ['too many', [message([soa(), ...new Array(10).fill(mx('a.example'))])], /more than 10 records$/],
  ['no message', [message([soa(), soa()]).subarray(0, 40)], /position/],
];

for (const [what, messages, said] of refused)
  test(`no zone: ${what}`, () => {
    assert.throws(
      () => taken(...messages),
      (error) =>
        error instanceof Failure && ['unavailable', 'too-many'].includes(error.kind) && said.test(error.message),
    );
  });

test('a SOA record counts from a server that has the zone', () => {
  const questions = [{ name: ZONE, type: 'SOA' as const, class: 1 }];
  assert.equal(decodeSoaResponse(message([soa(9)], { questions }), question).serial, 9);
  const none = /no SOA record of corp.example: the server does not have the zone/;
  assert.throws(() => decodeSoaResponse(message([soa(9)], { questions, authoritative: false }), question), none);
  assert.throws(() => decodeSoaResponse(message([soa(9, 'example')], { questions }), question), none);
});

const transferKey: TsigKey = {
  name: 'ours.example',
  algorithm: 'hmac-sha256',
  secret: Buffer.from('0123456789abcdef'),
};
const AT = 1_795_000_000;
const REQUEST = Buffer.alloc(32, 3);

/** As one connection brings it: each message behind its length. */
function stream(...messages: readonly Uint8Array[]): Buffer {
  return Buffer.concat(messages.flatMap((octets) => [Buffer.of(octets.length >> 8, octets.length & 0xff), octets]));
}

/** Of a transfer and of its signatures, as far as it comes; what it ends in. */
function transferred(pieces: readonly Buffer[], isSigned: boolean) {
  const framer = new DnsFramer();
  const transfer = new ZoneTransfer(question, 10);
  const check = isSigned ? new TsigSeriesCheck(transferKey, REQUEST, () => AT) : undefined;
  const names: string[] = [];
  let failure: string | undefined;
  try {
    for (const piece of pieces) {
      framer.push(piece);
      for (let frame = framer.next(65_535); frame !== undefined; frame = framer.next(65_535)) {
        check?.take(frame.octets);
        names.push(...transfer.take(frame.octets).map(({ name }) => name));
      }
    }
  } catch (error) {
    assert.ok(error instanceof Failure && ['unavailable', 'too-many'].includes(error.kind), String(error));
    failure = error.message;
  }
  return { names, failure, serial: transfer.soa?.serial, isWhole: check?.isSigned !== false };
}

test('whatever comes, it is records or a Failure that says try again; the same however the stream is cut', () => {
  const bare = [message([soa()]), message([mx('a.example')], { questions: [] }), message([mx('b'), soa()])];
  const series = new TsigSeries(transferKey, REQUEST, () => AT);
  const signed = bare.map((octets) => series.sign(octets));
  const streams = [
    ...[
      stream(...bare),
      stream(message([soa(), mx('a'), soa()])),
      stream(...bare.slice(0, 2)),
      stream(message([soa(2)])),
    ],
    ...[stream(...signed), stream(signed[0]!, bare[1]!, signed[2]!), stream(message([], { rcode: RCODE.REFUSED }))],
  ];
  fc.assert(
    fc.property(mutatedOctets(streams), pieceSizes, fc.boolean(), (octets, sizes, isSigned) => {
      const whole = transferred([octets], isSigned);
      assert.deepEqual(transferred(inPieces(octets, sizes), isSigned), whole);
      assert.ok(whole.names.length <= 20);
      if (whole.serial === undefined) return;
      assert.equal(whole.names[0]!.toLowerCase(), ZONE);
      if (whole.failure === undefined) assert.equal(whole.names.at(-1)!.toLowerCase(), ZONE);
    }),
    fuzzCases(2000),
  );
  const intact = transferred([stream(...signed)], true);
  assert.deepEqual(intact, { names: [ZONE, 'a.example', 'b', ZONE], failure: undefined, serial: 1, isWhole: true });
});
