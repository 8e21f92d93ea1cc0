// Signatures at the door: what a client is told whose key, MAC, time or length is not as it must be, and that the rest goes on.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { OPCODE_QUERY, RCODE, TSIG_ERROR, typeCode } from '../../wire/dns/codes.ts';
import { decodeMessage, encodeMessage } from '../../wire/dns/message.ts';
import { queryMessage } from '../../wire/dns/testing.ts';
import { signTsig, type TsigKey, verifyTsig } from '../../wire/dns/tsig.ts';
import { lookUp } from '../../zones/records.ts';
import { namesOf, settingsOf } from '../../zones/testing.ts';
import { createAnswer } from './answer.ts';
import { isForSecondaries } from './transfer.ts';

const key: TsigKey = {
  name: 'xfer.example',
  algorithm: 'hmac-sha256',
  secret: Buffer.from('thirty-two octets of one secret.'),
};
const zone = { names: namesOf(['acme.example'], 1), settings: settingsOf('mail.acme.example', ['192.0.2.1']) };
const query = encodeMessage({ ...queryMessage(4711, 'acme.example', 'SOA'), edns: undefined });
const now = (): number => Math.floor(systemClock.now() / 1000);
const MAC_BYTES = 32;
/** What stands between the MAC and the end: its original id, error and the length of what follows. */
const BEHIND_MAC = 6;

function ask(octets: Uint8Array) {
  const counted: (number | string)[] = [];
  const answer = createAnswer({
    lookUp: (name, type) => lookUp(name, type, zone),
    revision: () => 1,
    log: silentLog,
    onAnswer: (rcode) => counted.push(rcode),
    transfers: { key: (name) => (name === key.name ? key : undefined), give: () => undefined },
  });
  const reply = answer(octets, { transport: 'udp', sizeBytes: 1232, peerAddress: '192.0.2.7' });
  assert.ok(reply instanceof Uint8Array);
  const message = decodeMessage(reply);
  assert.deepEqual([message.id, message.isResponse, message.opcode], [4711, true, OPCODE_QUERY]);
  assert.deepEqual(counted, [message.rcode]);
  return { reply: Buffer.from(reply), message };
}

/** The query with a TSIG record whose MAC is the first octets of the right one. */
function withMac(bytes: number): Buffer {
  const whole = Buffer.from(signTsig(query, key, { at: now() }).octets);
  const macAt = whole.length - BEHIND_MAC - MAC_BYTES;
  const cut = Buffer.concat([whole.subarray(0, macAt + bytes), whole.subarray(whole.length - BEHIND_MAC)]);
  cut.writeUInt16BE(bytes, macAt - 2);
  const lengthAt = query.length + nameBytes(key.name) + 8;
  cut.writeUInt16BE(whole.readUInt16BE(lengthAt) - (MAC_BYTES - bytes), lengthAt);
  return cut;
}

function nameBytes(name: string): number {
  return name.length + 2;
}

/** The fields of the TSIG record behind `head` octets, read here without the codec. RFC 8945 §4.2 */
function tsigOf(reply: Buffer) {
  // The header and the question: a refusal has no more.
  const start = query.length;
  let at = start + nameBytes(key.name);
  assert.equal(reply.readUInt16BE(at), typeCode('TSIG'));
  assert.deepEqual([reply.readUInt16BE(at + 2), reply.readUInt32BE(at + 4)], [255, 0]);
  at += 10 + nameBytes('hmac-sha256');
  const times = reply.subarray(at, at + 8);
  const signedAt = reply.readUIntBE(at, 6);
  const macBytes = reply.readUInt16BE(at + 8);
  const mac = reply.subarray(at + 10, at + 10 + macBytes);
  at += 10 + macBytes;
  const otherBytes = reply.readUInt16BE(at + 4);
  const other = reply.subarray(at + 6, at + 6 + otherBytes);
  assert.equal(reply.length, at + 6 + otherBytes);
  return { start, times, signedAt, mac, id: reply.readUInt16BE(at), error: reply.readUInt16BE(at + 2), other };
}

/** RFC 8945 §5.3: over the request's MAC, the answer without the record, and the record's variables. */
function macOf(reply: Buffer, request: Uint8Array): Buffer {
  const { start, times, error, other } = tsigOf(reply);
  const u16 = (value: number) => Buffer.of(value >> 8, value & 255);
  const name = (text: string) =>
    Buffer.concat([
      ...text.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
      Buffer.of(0),
    ]);
  const head = Buffer.from(reply.subarray(0, start));
  head.writeUInt16BE(head.readUInt16BE(10) - 1, 10);
  return createHmac('sha256', key.secret)
    .update(u16(request.length))
    .update(request)
    .update(head)
    .update(Buffer.concat([name(key.name), u16(255), Buffer.alloc(4), name('hmac-sha256'), times]))
    .update(Buffer.concat([u16(error), u16(other.length), other]))
    .digest();
}

test('a good signature gets a signed answer', () => {
  const { octets, mac } = signTsig(query, key, { at: now() });
  const { reply, message } = ask(octets);
  assert.equal(message.rcode, RCODE.NOERROR);
  const verified = verifyTsig(reply, () => key, { now: now(), request: mac });
  assert.ok(verified !== undefined && 'mac' in verified);
});

test('BADKEY and BADSIG: NOTAUTH, the question again, no MAC', () => {
  const unknown = signTsig(query, { ...key, name: 'none.example' }, { at: now() }).octets;
  const otherAlgorithm = signTsig(query, { ...key, algorithm: 'hmac-sha512' }, { at: now() }).octets;
  const forged = signTsig(query, { ...key, secret: Buffer.from('another') }, { at: now() }).octets;
  // A MAC that is no good is that before its time is looked at.
  const forgedLate = signTsig(query, { ...key, secret: Buffer.from('another') }, { at: 1 }).octets;
  for (const [octets, error] of [
    [unknown, TSIG_ERROR.BADKEY],
    [otherAlgorithm, TSIG_ERROR.BADKEY],
    [forged, TSIG_ERROR.BADSIG],
    [forgedLate, TSIG_ERROR.BADSIG],
  ] as const) {
    const { reply, message } = ask(octets);
    assert.equal(message.rcode, RCODE.NOTAUTH);
    assert.equal(message.questions[0]?.name, 'acme.example');
    assert.deepEqual(message.answers, []);
    const refused = verifyTsig(reply, () => key, { now: now() });
    assert.ok(refused?.record !== undefined);
    const { record } = refused;
    assert.deepEqual([record.error, record.mac.length, record.other.length, record.originalId], [error, 0, 0, 4711]);
  }
});

test('BADTIME: signed, with the time of the request in its place and ours in other data', () => {
  for (const at of [now() - 1000, now() + 1000]) {
    const { octets, mac } = signTsig(query, key, { at });
    const earliest = now();
    const { reply, message } = ask(octets);
    const tsig = tsigOf(reply);
    assert.deepEqual([message.rcode, tsig.error, tsig.id], [RCODE.NOTAUTH, TSIG_ERROR.BADTIME, 4711]);
    assert.equal(tsig.signedAt, at);
    assert.equal(tsig.other.length, 6);
    const theirs = tsig.other.readUIntBE(0, 6);
    assert.ok(earliest <= theirs && theirs <= now(), String(theirs));
    assert.deepEqual(tsig.mac, macOf(reply, mac));
  }
});

test('BADTRUNC: signed whole, bound to the MAC as it came; less than half of it is FORMERR, without a signature', () => {
  for (const bytes of [31, 16]) {
    const octets = withMac(bytes);
    const macAt = octets.length - BEHIND_MAC - bytes;
    const { reply, message } = ask(octets);
    const tsig = tsigOf(reply);
    assert.deepEqual([message.rcode, tsig.error, tsig.other.length], [RCODE.NOTAUTH, TSIG_ERROR.BADTRUNC, 0]);
    assert.deepEqual(tsig.mac, macOf(reply, octets.subarray(macAt, macAt + bytes)));
  }
  const { message, reply } = ask(withMac(15));
  assert.deepEqual([message.rcode, reply.readUInt16BE(10)], [RCODE.FORMERR, 0]);
});

test('a refusal has OPT where the query has, under its signature', () => {
  const withEdns = encodeMessage(queryMessage(4711, 'acme.example', 'SOA'));
  const late = signTsig(withEdns, key, { at: now() - 1000 });
  const { reply, message } = ask(late.octets);
  assert.deepEqual([message.rcode, message.edns?.version, message.edns?.udpSizeBytes], [RCODE.NOTAUTH, 0, 1232]);
  const refused = verifyTsig(reply, () => key, { now: now() - 1000, request: late.mac });
  assert.ok(refused !== undefined && 'mac' in refused && refused.record.error === TSIG_ERROR.BADTIME);
  const forged = signTsig(withEdns, { ...key, secret: Buffer.from('another') }, { at: now() }).octets;
  assert.equal(ask(forged).message.edns?.version, 0);
  assert.equal(ask(signTsig(query, key, { at: now() - 1000 }).octets).message.edns, undefined);
});

test('a TSIG record of another class than ANY, or with a TTL, is malformed; it is not passed over', () => {
  const classAt = query.length + nameBytes(key.name) + 2;
  for (const [at, octet] of [
    [classAt + 1, 1],
    [classAt, 1],
    [classAt + 5, 1],
  ] as const) {
    const octets = Buffer.from(signTsig(query, key, { at: now() }).octets);
    octets[at] = octet;
    const { message, reply } = ask(octets);
    assert.deepEqual([message.rcode, message.answers.length, reply.readUInt16BE(10)], [RCODE.FORMERR, 0, 0]);
  }
});

test('only what looks as if it were for secondaries is taken out of the way of other queries', () => {
  const plain = encodeMessage(queryMessage(1, 'acme.example', 'SOA'));
  assert.equal(isForSecondaries(plain), false);
  // Octets of a cookie that look like the record.
  const edns = { udpSizeBytes: 1232, version: 0, dnssecOk: false };
  const data = Buffer.from('00fa00ff00000000', 'hex');
  const cookie = { ...queryMessage(1, 'acme.example', 'SOA'), edns: { ...edns, options: [{ code: 10, data }] } };
  assert.equal(isForSecondaries(encodeMessage(cookie)), false);
  for (const unsigned of [query, plain])
    assert.equal(isForSecondaries(signTsig(unsigned, key, { at: 1 }).octets), true);
});
