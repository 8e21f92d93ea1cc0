// TSIG against the programs of BIND, against itself, and against what forgers and broken clocks send.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedOctets } from '../../../test/support/nearly-right.ts';
import { peer } from '../../../test/support/peers.ts';
import { asciiLower } from '../../base/characters.ts';
import { Failure } from '../../base/failure.ts';
import { RCODE, TSIG_ERROR } from './codes.ts';
import { decodeMessage, encodeMessage } from './message.ts';
import { queryMessage } from './testing.ts';
import {
  refusalByTsig,
  signTsig,
  type TsigAlgorithm,
  type TsigKey,
  TsigSeries,
  TsigSeriesCheck,
  tsigBytes,
  verifyTsig,
} from './tsig.ts';
import { encodeUpdate } from './update.ts';

const NOW = 1_795_000_000;
const ALGORITHMS: readonly TsigAlgorithm[] = ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'];
const key: TsigKey = { name: 'ours.example', algorithm: 'hmac-sha256', secret: Buffer.from('0123456789abcdef') };
const keys = (name: string): TsigKey | undefined => (name === key.name ? key : undefined);
const query = encodeMessage(queryMessage(4711, 'acme.example', 'MX'));
const seconds = (): number => Math.floor(Date.now() / 1000);

function errorOf(octets: Uint8Array, now = NOW, of = keys): string | undefined {
  const verified = verifyTsig(octets, of, { now });
  return verified === undefined ? 'none' : 'error' in verified ? verified.error : undefined;
}

/** The record at the end of a message, which here has no name that is compressed. */
function tsigOf(octets: Uint8Array) {
  const record = decodeMessage(octets).additionals.at(-1)!;
  assert.ok(record.type === 'TYPE250');
  const data = Buffer.from(record.data);
  const macAt = data.indexOf(0) + 1 + 8;
  const macBytes = data.readUInt16BE(macAt);
  const rest = data.subarray(macAt + 2 + macBytes);
  return {
    mac: data.subarray(macAt + 2, macAt + 2 + macBytes),
    signedAt: data.readUIntBE(macAt - 8, 6),
    error: rest.readUInt16BE(2),
    other: rest.subarray(6),
  };
}

/** The message with the last octets of its MAC away. */
function withShortMac(octets: Uint8Array, keptBytes: number): Uint8Array {
  const { mac } = tsigOf(octets);
  const at = Buffer.from(octets).indexOf(mac);
  const cut = mac.length - keptBytes;
  const short = Buffer.concat([octets.subarray(0, at + keptBytes), octets.subarray(at + mac.length)]);
  short.writeUInt16BE(keptBytes, at - 2);
  const lengthAt = at - 2 - 8 - 'xhmac-sha256x'.length - 2;
  short.writeUInt16BE(short.readUInt16BE(lengthAt) - cut, lengthAt);
  return short;
}

test('what is signed is verified, by its key, within the fudge; nobody else has signed it', () => {
  for (const algorithm of ALGORITHMS) {
    const own = { ...key, algorithm };
    const of = (name: string) => (name === own.name ? own : undefined);
    const { octets, mac } = signTsig(query, own, { at: NOW });
    assert.equal(octets.length, query.length + tsigBytes(own));
    const verified = verifyTsig(octets, of, { now: NOW + 300 });
    assert.ok(verified !== undefined && 'mac' in verified);
    assert.equal(verified.key, own);
    assert.deepEqual(verified.mac, mac);
    assert.equal(errorOf(octets, NOW + 301, of), 'BADTIME');
    assert.equal(errorOf(octets, NOW - 301, of), 'BADTIME');
    assert.equal(
      errorOf(octets, NOW, () => undefined),
      'BADKEY',
    );
    assert.equal(
      errorOf(octets, NOW, () => ({ ...own, secret: Buffer.from('another') })),
      'BADSIG',
    );
    const other = ALGORITHMS.find((each) => each !== algorithm)!;
    assert.equal(
      errorOf(octets, NOW, () => ({ ...own, algorithm: other })),
      'BADKEY',
    );
  }
  assert.equal(errorOf(query), 'none');
});

test('the MAC is over what RFC 8945 §4.3 says, whoever computes it', () => {
  const name = Buffer.from('\x04ours\x07example\0', 'latin1');
  const algorithm = Buffer.from('\x0bhmac-sha256\0', 'latin1');
  const times = Buffer.alloc(8);
  times.writeUIntBE(NOW, 0, 6);
  times.writeUInt16BE(300, 6);
  const variables = Buffer.concat([name, Buffer.of(0, 255, 0, 0, 0, 0), algorithm, times, Buffer.of(0, 0, 0, 0)]);
  const request = Buffer.from('a MAC of a request');
  const mac = (...parts: readonly Uint8Array[]) => {
    return createHmac('sha256', key.secret).update(Buffer.concat(parts)).digest();
  };
  assert.deepEqual(signTsig(query, key, { at: NOW }).mac, mac(query, variables));
  const before = Buffer.concat([Buffer.of(0, request.length), request]);
  assert.deepEqual(signTsig(query, key, { at: NOW, request }).mac, mac(before, query, variables));
  assert.deepEqual(signTsig(query, key, { at: NOW, earlier: request }).mac, mac(before, query, times));
});

test('the first octet that changes makes it a forgery; the id and the case of the names may', () => {
  const { octets } = signTsig(query, key, { at: NOW });
  const isId = (at: number) => at < 2;
  const algorithmAt = Buffer.from(octets).lastIndexOf('hmac-sha256');
  const isName = (at: number) =>
    (at >= query.length && at < query.length + 14) || (at >= algorithmAt && at < algorithmAt + 11);
  fc.assert(
    fc.property(fc.nat(octets.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = octets.slice();
      changed[at]! ^= flip;
      const isSameLetter =
        asciiLower(String.fromCharCode(changed[at]!)) === asciiLower(String.fromCharCode(octets[at]!));
      const error = errorOf(changed);
      if (isId(at) || (isName(at) && isSameLetter)) assert.equal(error, undefined, `at ${at}`);
      else assert.notEqual(error, undefined, `at ${at}`);
    }),
    { numRuns: 3000 },
  );
});

test('whatever comes is verified, refused or unsigned, never another error', () => {
  const flips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 });
  const { octets } = signTsig(query, key, { at: NOW });
  fc.assert(
    fc.property(flips, fc.nat(octets.length), (all, length) => {
      const bytes = octets.slice(0, length);
      for (const [at, octet] of all) if (length > 0) bytes[at % length] = octet;
      const verified = verifyTsig(bytes, keys, { now: NOW });
      if (verified === undefined || !('error' in verified)) return;
      const refusal = decodeMessage(refusalByTsig(bytes, verified, NOW));
      assert.ok(refusal.isResponse);
    }),
    { numRuns: 5000 },
  );
});

test('a TSIG record stands once, at the end of the additional section', () => {
  const { octets } = signTsig(query, key, { at: NOW });
  assert.equal(errorOf(signTsig(octets, key, { at: NOW }).octets), 'FORMERR');
  const behind = Buffer.concat([octets, Buffer.of(0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0)]);
  behind.writeUInt16BE(behind.readUInt16BE(10) + 1, 10);
  assert.equal(errorOf(behind), 'FORMERR');
  const inAnswer = encodeUpdate({ id: 1, zone: 'acme.example', prerequisites: [], changes: [] });
  const signed = signTsig(inAnswer, key, { at: NOW }).octets.slice();
  signed[11] = 0;
  signed[7] = 1;
  assert.equal(errorOf(signed), 'FORMERR');
});

test('a MAC that is cut is BADTRUNC, one of less than half FORMERR', () => {
  const { octets } = signTsig(query, key, { at: NOW });
  assert.equal(errorOf(withShortMac(octets, 31)), 'BADTRUNC');
  assert.equal(errorOf(withShortMac(octets, 16)), 'BADTRUNC');
  assert.equal(errorOf(withShortMac(octets, 15)), 'FORMERR');
  assert.equal(errorOf(withShortMac(octets, 0)), 'FORMERR');
});

test('refusals: NOTAUTH and why; signed for a wrong time and a short MAC, not for a key that is not ours', () => {
  const refusal = (octets: Uint8Array, now: number) => {
    const refused = verifyTsig(octets, keys, { now });
    assert.ok(refused !== undefined && 'error' in refused);
    const answer = refusalByTsig(octets, refused, now);
    const message = decodeMessage(answer);
    assert.deepEqual([message.id, message.isResponse, message.questions.length], [4711, true, 1]);
    return { rcode: message.rcode, answer };
  };
  const { octets, mac } = signTsig(query, key, { at: NOW });

  const late = refusal(octets, NOW + 1000);
  assert.equal(late.rcode, RCODE.NOTAUTH);
  const lateTsig = tsigOf(late.answer);
  assert.deepEqual([lateTsig.error, lateTsig.signedAt], [TSIG_ERROR.BADTIME, NOW]);
  assert.equal(lateTsig.other.readUIntBE(0, 6), NOW + 1000);
  const read = verifyTsig(late.answer, keys, { now: NOW, request: mac });
  assert.ok(read !== undefined && 'mac' in read && read.record.error === TSIG_ERROR.BADTIME);

  const short = withShortMac(octets, 20);
  const cut = refusal(short, NOW);
  assert.equal(tsigOf(cut.answer).error, TSIG_ERROR.BADTRUNC);
  const cutRead = verifyTsig(cut.answer, keys, { now: NOW, request: tsigOf(short).mac });
  assert.ok(cutRead !== undefined && 'mac' in cutRead);

  const foreign = refusal(signTsig(query, { ...key, name: 'theirs.example' }, { at: NOW }).octets, NOW);
  assert.deepEqual([foreign.rcode, tsigOf(foreign.answer).error], [RCODE.NOTAUTH, TSIG_ERROR.BADKEY]);
  assert.equal(tsigOf(foreign.answer).mac.length, 0);
  const forged = refusal(signTsig(query, { ...key, secret: Buffer.from('x') }, { at: NOW }).octets, NOW);
  assert.equal(tsigOf(forged.answer).error, TSIG_ERROR.BADSIG);
  assert.equal(tsigOf(forged.answer).mac.length, 0);
  assert.equal(refusal(withShortMac(octets, 3), NOW).rcode, RCODE.FORMERR);
});

test('a series is bound from message to message: none is left out, changed, or put elsewhere', () => {
  const request = signTsig(query, key, { at: NOW }).mac;
  const series = new TsigSeries(key, request, () => NOW);
  const messages = ['a', 'b', 'c'].map((name) =>
    series.sign(encodeMessage(queryMessage(1, name, 'A', { isResponse: true }))),
  );
  const check = (all: readonly Uint8Array[]) => {
    const reading = new TsigSeriesCheck(key, request, () => NOW);
    for (const each of all) reading.take(each);
    return reading.isSigned;
  };
  assert.equal(check(messages), true);
  assert.throws(() => check([messages[0]!, messages[2]!]), Failure);
  assert.throws(() => check([messages[1]!]), Failure);
  assert.throws(() => check([query]), Failure);
  for (const other of [
    { ...key, name: 'other.example' },
    { ...key, algorithm: ALGORITHMS.find((each) => each !== key.algorithm)! },
  ])
    assert.throws(() => new TsigSeriesCheck(other, request, () => NOW).take(messages[0]!), /BADKEY/);
  // Unsigned ones may stand between, and count with the next signature.
  assert.equal(check([messages[0]!, query]), false);
  assert.throws(() => check([messages[0]!, query, messages[1]!]), /BADSIG/);
  assert.throws(() => check([messages[0]!, ...new Array<Uint8Array>(100).fill(query)]), /no signature/);
});

/** A server that verifies each message and answers it signed; what it found. */
async function signingServer(context: TestContext, own: TsigKey) {
  const found: string[] = [];
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  context.after(() => void socket.close());
  await once(socket, 'listening');
  socket.on('message', (octets, { port, address }) => {
    const verified = verifyTsig(octets, (name) => (name === own.name ? own : undefined), { now: seconds() });
    if (verified === undefined || 'error' in verified) {
      found.push(verified === undefined ? 'unsigned' : verified.error);
      const answer = verified === undefined ? octets : refusalByTsig(octets, verified, seconds());
      socket.send(answer, port, address);
      return;
    }
    found.push('verified');
    const message = decodeMessage(octets);
    const answer = encodeMessage({
      ...{ ...message, isResponse: true, authoritative: true, answers: [], authorities: [], additionals: [] },
      edns: undefined,
    });
    const { octets: signed } = signTsig(answer, own, { at: seconds(), request: verified.mac });
    socket.send(signed, port, address);
  });
  return { found, port: socket.address().port };
}

async function run(command: string, arguments_: readonly string[], input = ''): Promise<string> {
  const child = spawn(command, arguments_, { stdio: ['pipe', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part));
  child.stdin.end(input);
  await once(child, 'close');
  return text;
}

const dig = peer('dig');

test('dig signs for us, and finds our signature good and our refusals meant', { skip: dig.skip }, async (context) => {
  for (const algorithm of ALGORITHMS) {
    const own: TsigKey = { ...key, algorithm };
    const { found, port } = await signingServer(context, own);
    const asked = (secret: Buffer, name = own.name) =>
      run(dig.path, [
        ...['@127.0.0.1', '-p', String(port), '+tries=1', '+time=30'],
        ...['-y', `${algorithm}:${name}:${secret.toString('base64')}`, 'acme.example', 'MX'],
      ]);
    const good = await asked(own.secret);
    assert.match(good, /status: NOERROR/);
    assert.doesNotMatch(good, /Couldn't verify|verify failure/);
    const forged = await asked(Buffer.from('another secret'));
    assert.match(forged, /BADSIG/);
    const foreign = await asked(own.secret, 'theirs.example');
    assert.match(foreign, /BADKEY/);
    assert.deepEqual(found, ['verified', 'BADSIG', 'BADKEY']);
  }
});

const nsupdate = peer('nsupdate');

test('nsupdate signs for us, and takes our signed answer', { skip: nsupdate.skip }, async (context) => {
  const { found, port } = await signingServer(context, key);
  const input = `server 127.0.0.1 ${port}
zone acme.example
key hmac-sha256:${key.name} ${key.secret.toString('base64')}
update add www.acme.example 300 A 192.0.2.1
send
`;
  assert.equal(await run(nsupdate.path, [], input), '');
  assert.deepEqual(found, ['verified']);
});

test('any octets near a signed message are verified, refused or unsigned', () => {
  const algorithms = ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const;
  const signed = algorithms.map((algorithm) => signTsig(query, { ...key, algorithm }, { at: NOW }).octets);
  fc.assert(
    fc.property(mutatedOctets([...signed, query]), (octets) => {
      const verified = verifyTsig(octets, keys, { now: NOW });
      if (verified === undefined || !('error' in verified) || octets.length < 12) return;
      assert.ok(decodeMessage(refusalByTsig(octets, verified, NOW)).isResponse);
    }),
    fuzzCases(1500),
  );
});
