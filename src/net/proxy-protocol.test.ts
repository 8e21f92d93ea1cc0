// PROXY headers of both versions: what other programs send, what nobody should, and anything else.

import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, inPieces, mutatedOctets, pieceSizes } from '../../test/support/nearly-right.ts';
import { SyntaxFailure } from '../base/cursor.ts';
import { type ParsedProxyHeader, type ProxyHeader, parseProxyHeader } from './proxy-protocol.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const NOTHING: ProxyHeader = { source: undefined, tls: undefined, authority: undefined };

/** A header of version 2 around an address block and values, both in hexadecimal. */
function binary(start: string, ...parts: readonly string[]): Buffer {
  const rest = Buffer.from(parts.join(''), 'hex');
  const length = Buffer.alloc(2);
  length.writeUInt16BE(rest.length);
  return Buffer.concat([Buffer.from(SIGNATURE + start, 'hex'), length, rest]);
}

function value(type: number, octets: Buffer | string): string {
  const bytes = Buffer.from(octets);
  const head = Buffer.from([type, bytes.length >> 8, bytes.length & 0xff]);
  return Buffer.concat([head, bytes]).toString('hex');
}

/** 192.0.2.1:56324 to 198.51.100.2:25 */
const FOUR = `c0000201${'c6336402'}dc04${'0019'}`;
const SIX = `20010db8000000000000000000000001${'20010db8000000000000000000000002'}dc04${'0019'}`;

const whole: Readonly<Record<string, readonly [Buffer, ProxyHeader]>> = {
  'TCP4 in a line': [
    Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\n'),
    { ...NOTHING, source: { address: '192.0.2.1', port: 56_324 } },
  ],
  'TCP6 in a line, in whatever form': [
    Buffer.from('PROXY TCP6 2001:DB8:0:0:0:0:0:1 2001:db8::2 1 65535\r\n'),
    { ...NOTHING, source: { address: '2001:db8::1', port: 1 } },
  ],
  'the longest line': [
    Buffer.from(`PROXY UNKNOWN ${Array(2).fill(Array(8).fill('ffff').join(':')).join(' ')} 65535 65535\r\n`),
    NOTHING,
  ],
  'UNKNOWN alone': [Buffer.from('PROXY UNKNOWN\r\n'), NOTHING],
  LOCAL: [binary('2000'), NOTHING],
  'LOCAL with a block that is to be ignored': [binary('20ff', 'deadbeef'), NOTHING],
  'UNSPEC, its values counted': [binary('2100', value(0x02, 'a.example')), { ...NOTHING, authority: 'a.example' }],
  'a Unix socket': [binary('2131', '00'.repeat(216)), NOTHING],
  IPv4: [binary('2111', FOUR), { ...NOTHING, source: { address: '192.0.2.1', port: 56_324 } }],
  IPv6: [binary('2121', SIX), { ...NOTHING, source: { address: '2001:db8::1', port: 56_324 } }],
  'IPv4 on a socket of IPv6': [
    binary('2121', '00'.repeat(10), 'ffffc0000201', '00'.repeat(16), '00010002'),
    { ...NOTHING, source: { address: '::ffff:192.0.2.1', port: 1 } },
  ],
  'TLS, the name, values that nobody uses': [
    binary(
      '2111',
      FOUR,
      value(0x01, 'imap'),
      value(0x02, 'Mail.Acme.EXAMPLE'),
      value(0x04, '\0\0'),
      value(0x05, 'unique'),
      value(
        0x20,
        Buffer.from(
          `0100000000${value(0x21, 'TLSv1.3')}${value(0x22, 'ann')}${value(0x23, 'TLS_AES_256_GCM_SHA384')}`,
          'hex',
        ),
      ),
      value(0xe0, 'whatever'),
    ),
    {
      source: { address: '192.0.2.1', port: 56_324 },
      tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' },
      authority: 'mail.acme.example',
    },
  ],
  'no TLS, though the value is there': [
    binary('2111', FOUR, value(0x20, Buffer.from(`0000000001${value(0x21, 'TLSv1.3')}`, 'hex'))),
    { ...NOTHING, source: { address: '192.0.2.1', port: 56_324 } },
  ],
  'TLS that is not named; a name that is none': [
    binary('2111', FOUR, value(0x20, Buffer.from('0100000000', 'hex')), value(0x02, 'two words')),
    { source: { address: '192.0.2.1', port: 56_324 }, tls: { protocol: '', cipher: '' }, authority: undefined },
  ],
  'a checksum': [withChecksum(), { ...NOTHING, source: { address: '192.0.2.1', port: 56_324 } }],
};

/** Bit by bit, from the definition: another way than the table of the code. */
function naiveCrc32c(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const octet of bytes) {
    crc ^= octet;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function withChecksum(): Buffer {
  const bytes = binary('2111', FOUR, value(0x03, Buffer.alloc(4)), value(0x05, 'x'));
  bytes.writeUInt32BE(naiveCrc32c(bytes), bytes.length - 8);
  return bytes;
}

test('the checksum is the known one', () => {
  assert.equal(naiveCrc32c(Buffer.from('123456789')), 0xe3069283);
});

for (const [what, [bytes, header]] of Object.entries(whole))
  test(`${what}: whole, with more behind it, and cut anywhere`, () => {
    assert.deepEqual(parseProxyHeader(bytes), { header, bytes: bytes.length });
    const more = Buffer.concat([bytes, Buffer.from('EHLO client\r\n')]);
    assert.deepEqual(parseProxyHeader(more), { header, bytes: bytes.length });
    for (let length = 0; length < bytes.length; length++)
      assert.equal(parseProxyHeader(bytes.subarray(0, length)), undefined, `${length} octets`);
  });

const bad: Readonly<Record<string, Buffer>> = {
  'a command': Buffer.from('EHLO client\r\n'),
  'a TLS handshake': Buffer.from('160301', 'hex'),
  'another word': Buffer.from('PROXI'),
  'a line without an end': Buffer.from(`PROXY UNKNOWN ${'x'.repeat(93)}`),
  'a family that is none': Buffer.from('PROXY TCP5 192.0.2.1 198.51.100.2 56324 25\r\n'),
  UNKNOWNs: Buffer.from('PROXY UNKNOWNS\r\n'),
  'an address of the other family': Buffer.from('PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n'),
  'no address': Buffer.from('PROXY TCP4 mail.example 198.51.100.2 56324 25\r\n'),
  'two blanks': Buffer.from('PROXY TCP4  192.0.2.1 198.51.100.2 56324 25\r\n'),
  'a port that is none': Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 65536 25\r\n'),
  'a port too few': Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 25\r\n'),
  'something behind the ports': Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 56324 25 \r\n'),
  'version 3': Buffer.from(`${SIGNATURE}31`, 'hex'),
  'a command that is none': binary('2200'),
  'a family in use for nothing': binary('2141', FOUR),
  'a transport that is none': binary('2113', FOUR),
  UDP: binary('2112', FOUR),
  'an address block that is too short': binary('2111', FOUR.slice(2)),
  'a value beyond the end': binary('2111', FOUR, '0500ff00'),
  'half a value': binary('2111', FOUR, '0500'),
  'TLS beyond its value': binary('2111', FOUR, value(0x20, Buffer.from('01000000002100ff', 'hex'))),
  'a checksum of another length': binary('2111', FOUR, value(0x03, '12345')),
  'over 4 KiB': binary('2111', FOUR, value(0x05, Buffer.alloc(4096))),
};

for (const [what, bytes] of Object.entries(bad))
  test(`no header: ${what}`, () => assert.throws(() => parseProxyHeader(bytes), SyntaxFailure));

test('over 4 KiB is refused before it has come', () => {
  const bytes = binary('2111', FOUR, value(0x05, Buffer.alloc(4096)));
  assert.throws(() => parseProxyHeader(bytes.subarray(0, 16)), SyntaxFailure);
});

test('a header of exactly 4 KiB is taken', () => {
  const bytes = binary('2111', FOUR, value(0x05, Buffer.alloc(4096 - 16 - 12 - 3)));
  assert.equal(bytes.length, 4096);
  assert.equal(parseProxyHeader(bytes)?.bytes, 4096);
});

test('any bit of a header with a checksum that is changed makes it none, or one that says the same', () => {
  const good = withChecksum();
  const { header } = parseProxyHeader(good) as ParsedProxyHeader;
  for (let bit = 0; bit < good.length * 8; bit++) {
    const changed = Buffer.from(good);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    try {
      const parsed = parseProxyHeader(changed);
      // LOCAL says nothing; a value that is not a checksum any more checks nothing, and then all else is as it was.
      if (parsed !== undefined && parsed.header.source !== undefined)
        assert.deepEqual(parsed.header, header, `bit ${bit}`);
    } catch (error) {
      assert.ok(error instanceof SyntaxFailure, `bit ${bit}: ${error}`);
    }
  }
});

test('any octets are a header, the beginning of one, or a SyntaxFailure; the same however they are cut', () => {
  const outcome = (bytes: Buffer): ParsedProxyHeader | 'bad' | undefined => {
    try {
      return parseProxyHeader(bytes);
    } catch (error) {
      assert.ok(error instanceof SyntaxFailure, String(error));
      return 'bad';
    }
  };
  const octets = mutatedOctets([...Object.values(whole).map(([bytes]) => bytes), ...Object.values(bad)]);
  fc.assert(
    fc.property(octets, pieceSizes, (all, sizes) => {
      const final = outcome(all);
      let come = 0;
      for (const piece of inPieces(all, sizes)) {
        const early = outcome(all.subarray(0, come));
        if (early !== undefined) assert.deepEqual(early, final);
        come += piece.length;
      }
      if (final === undefined || final === 'bad') return;
      assert.ok(final.bytes <= 4096 && final.bytes <= all.length);
      const { source, tls, authority } = final.header;
      if (source !== undefined) assert.ok(isIP(source.address) !== 0 && source.port >= 0 && source.port <= 65_535);
      for (const said of [tls?.protocol, tls?.cipher, authority]) assert.match(said ?? '', /^[\w.-]*$/);
      // What stands behind it is the session's.
      assert.deepEqual(parseProxyHeader(all.subarray(0, final.bytes)), final);
    }),
    fuzzCases(2000),
  );
});
