// Which octets are the answer to a question, an update or a notification, signed or not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedOctets } from '../../test/support/nearly-right.ts';
import { OPCODE_NOTIFY, OPCODE_UPDATE, RCODE } from '../wire/dns/codes.ts';
import { type DnsMessage, encodeMessage } from '../wire/dns/message.ts';
import { queryMessage } from '../wire/dns/testing.ts';
import { signTsig, type TsigKey } from '../wire/dns/tsig.ts';
import { judgeAnswer, requestOf } from './dns-request.ts';

const ZONE = 'corp.example';
const key: TsigKey = { name: 'ours.example', algorithm: 'hmac-sha256', secret: Buffer.from('0123456789abcdef') };
const soa = { name: ZONE, class: 1, ttl: 300, type: 'SOA', mname: 'a', rname: 'b', serial: 5 } as const;
const record = { ...soa, refresh: 1, retry: 2, expire: 3, minimum: 4 } as const;

const asked = [{}, { opcode: OPCODE_UPDATE }, { opcode: OPCODE_NOTIFY, authoritative: true }].flatMap((header) => {
  const octets = encodeMessage(queryMessage(7, ZONE, 'SOA', header));
  return [undefined, key].map((each) => requestOf(octets, { key: each, source: undefined }));
});

/** Answers of each kind to a request, of which the first is good. */
function answersTo({ message, mac }: (typeof asked)[number]): Uint8Array[] {
  const answer: DnsMessage = { ...message, isResponse: true, answers: [record] };
  const messages = [answer, { ...answer, rcode: RCODE.NXDOMAIN }, { ...answer, rcode: RCODE.REFUSED, questions: [] }];
  const octets = [...messages, { ...answer, rcode: RCODE.YXRRSET, answers: [] }].map((each) => encodeMessage(each));
  const at = Math.floor(Date.now() / 1000);
  return mac === undefined ? octets : octets.map((each) => signTsig(each, key, { at, request: mac }).octets);
}

test('what is sent back to it is the answer, and of a signed request nothing without the signature', () => {
  for (const request of asked) {
    const [good] = answersTo(request);
    const judged = judgeAnswer(good!, request);
    assert.ok(judged !== undefined && 'answer' in judged, JSON.stringify(judged));
    assert.equal(judged.answer.answers.length, 1);
    const unsigned = asked.find(({ mac, message }) => mac === undefined && message.opcode === request.message.opcode)!;
    const bare = judgeAnswer(answersTo(unsigned)[0]!, request)!;
    assert.deepEqual('unusable' in bare, request.mac !== undefined);
  }
});

test('any octets are the answer, unusable, or passed over; and never the answer to a signed request with one bit changed', () => {
  const replies = asked.map((request) => mutatedOctets(answersTo(request)));
  const good = asked.map((request) => answersTo(request).map((each) => Buffer.from(each)));
  fc.assert(
    fc.property(fc.oneof(...replies), fc.nat(asked.length - 1), (octets, index) => {
      const request = asked[index]!;
      const judged = judgeAnswer(octets, request);
      if (judged === undefined) return;
      if ('unusable' in judged) return assert.ok(judged.unusable !== '');
      const { id, isResponse, opcode, questions, rcode } = judged.answer;
      assert.deepEqual([id, isResponse, opcode], [request.message.id, true, request.message.opcode]);
      if (questions.length > 0) assert.deepEqual(questions, request.message.questions);
      else assert.ok(rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN);
      if (request.mac !== undefined) assert.ok(isOneOf(octets, good[index]!), octets.toString('hex'));
    }),
    fuzzCases(2000),
  );
});

/** The name of the key, which is no part of what is signed as it is written, may be in another case. */
function isOneOf(octets: Buffer, good: readonly Buffer[]): boolean {
  const plain = (each: Buffer): string => each.toString('latin1').toLowerCase();
  return good.some((each) => each.equals(octets) || plain(each) === plain(octets));
}
