// The client's half of SMTP: replies out of bytes however they are cut, commands that cannot be broken open.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, inPieces, mutatedOctets, pieceSizes } from '../../../test/support/nearly-right.ts';
import { SyntaxFailure } from '../../base/cursor.ts';
import {
  type ClientReply,
  mailCommand,
  NO_CAPABILITIES,
  parseCapabilities,
  ReplyReader,
  rcptCommand,
} from './client.ts';
import { DataEncoder } from './client-data.ts';
import { DataReader } from './data.ts';

/** All replies, or `bad` where the reader gives up. */
function read(chunks: readonly Buffer[]): (ClientReply | 'bad')[] {
  const reader = new ReplyReader();
  const replies: (ClientReply | 'bad')[] = [];
  try {
    for (const chunk of chunks) {
      reader.push(chunk);
      for (let reply = reader.next(); reply !== undefined; reply = reader.next()) replies.push(reply);
    }
  } catch (error) {
    assert.ok(error instanceof SyntaxFailure);
    replies.push('bad');
  }
  return replies;
}

function cut(text: string, size: number): Buffer[] {
  const bytes = Buffer.from(text, 'latin1');
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  return chunks;
}

test('replies of one line and of many, with and without an enhanced status', () => {
  const text =
    '220 mx ESMTP\r\n250-mx\r\n250-SIZE 10\r\n250 HELP\r\n550-5.1.1 no\r\n550 5.1.1 such user\r\n354\r\n250 4.0.0 x\r\n';
  const expected: ClientReply[] = [
    { code: 220, enhanced: undefined, lines: ['mx ESMTP'], said: '220 mx ESMTP' },
    { code: 250, enhanced: undefined, lines: ['mx', 'SIZE 10', 'HELP'], said: '250 mx SIZE 10 HELP' },
    { code: 550, enhanced: '5.1.1', lines: ['no', 'such user'], said: '550 5.1.1 no 5.1.1 such user' },
    { code: 354, enhanced: undefined, lines: [''], said: '354 ' },
    { code: 250, enhanced: undefined, lines: ['4.0.0 x'], said: '250 4.0.0 x' },
  ];
  for (let size = 1; size <= text.length; size++) assert.deepEqual(read(cut(text, size)), expected, `cut at ${size}`);
});

test('a host that changes its mind within a reply refuses', () => {
  const refused: ClientReply = {
    code: 521,
    enhanced: '5.7.1',
    lines: ['you are', 'on a list'],
    said: '521 5.7.1 you are on a list',
  };
  assert.deepEqual(read(cut('220-mx\r\n220-wait\r\n521-5.7.1 you are\r\n521 on a list\r\n', 9)), [refused]);
  assert.deepEqual(read(cut('550-no\r\n250 yes\r\n', 9)), ['bad']);
});

test('what is no reply is named as soon as it is certain', () => {
  for (const text of [
    'hello\r\n',
    '2x0 a\r\n',
    '600 a\r\n',
    '099 a\r\n',
    '250_a\r\n',
    '25\r\n',
    '\r\n',
    '250 a\n250 b\r\n',
  ])
    assert.ok(read(cut(text, 1)).includes('bad'), JSON.stringify(text));
  assert.deepEqual(read(cut('250-a\r\n251 b\r\n', 3)), ['bad']);
  assert.deepEqual(read(cut(`250 ${'x'.repeat(5000)}`, 100)), ['bad']);
  assert.deepEqual(read(cut('250-x\r\n'.repeat(200), 7)), ['bad']);
});

test('any bytes give replies or a SyntaxFailure, the same however they are cut', () => {
  const line = fc.constantFrom('250 ok\r\n', '250-a\r\n', '550 5.1.1 x\r\n', '4', '\r', '\n', '\0', '354 \r\n', 'x');
  fc.assert(
    fc.property(fc.array(line, { maxLength: 20 }), fc.integer({ min: 1, max: 9 }), (lines, size) => {
      const text = lines.join('');
      assert.deepEqual(read(cut(text, size)), read(cut(text, text.length + 1)));
    }),
  );
});

test('what EHLO offers', () => {
  assert.deepEqual(parseCapabilities(['mx PIPELINING', 'size 1000', 'Pipelining', '8BITMIME', 'StartTLS']), {
    ...NO_CAPABILITIES,
    pipelining: true,
    eightBitMime: true,
    startTls: true,
    sizeBytes: 1000,
  });
  const more = [
    'CHUNKING',
    'SMTPUTF8',
    'DSN',
    'DELIVERBY 60',
    'FUTURERELEASE 5 2030-01-01T00:00:00Z',
    'MT-PRIORITY MIXER',
  ];
  const others = ['REQUIRETLS', 'AUTH plain LOGIN', 'LIMITS RCPTMAX=100 mailmax=20 X=1'];
  assert.deepEqual(parseCapabilities(['mx', ...more, ...others]), {
    ...NO_CAPABILITIES,
    smtpUtf8: true,
    dsn: true,
    deliverBy: 60,
    futureRelease: true,
    priority: true,
    requireTls: true,
    auth: ['PLAIN', 'LOGIN'],
    limits: { rcptMax: 100, mailMax: 20 },
  });
  // In several lines, and as before RFC 2554.
  for (const auth of [['AUTH PLAIN', 'AUTH LOGIN'], ['AUTH=PLAIN LOGIN'], ['AUTH plain', 'auth=plain login']])
    assert.deepEqual(new Set(parseCapabilities(['mx', ...auth]).auth), new Set(['PLAIN', 'LOGIN']), auth.join());
  assert.equal(parseCapabilities(['mx', 'DELIVERBY']).deliverBy, 0);
  assert.deepEqual(parseCapabilities(['mx', 'LIMITS RCPTMAX=0 MAILMAX=x']).limits, {});
  assert.deepEqual(parseCapabilities(['8BITMIME']), NO_CAPABILITIES);
  for (const size of ['SIZE', 'SIZE x', 'SIZE 1 2', 'SIZE 99999999999999999999'])
    assert.equal(parseCapabilities(['mx', size]).sizeBytes, 0, size);
});

test('where SMTPUTF8 is spoken an address is sent in UTF-8, an octet a character', () => {
  const address = { localPart: 'zo\u00eb', domain: 'x.example' };
  assert.equal(rcptCommand({ address }, NO_CAPABILITIES, true), 'RCPT TO:<zo\xc3\xab@x.example>\r\n');
  assert.throws(() => rcptCommand({ address }, NO_CAPABILITIES), SyntaxFailure);
  assert.throws(
    () => rcptCommand({ address: { ...address, localPart: 'zo\u0085' } }, NO_CAPABILITIES, true),
    SyntaxFailure,
  );
});

test('a command is one line of printable ASCII, whatever an address holds', () => {
  const to = (localPart: string, isUtf8 = false): string =>
    rcptCommand({ address: { localPart, domain: 'x.example' } }, NO_CAPABILITIES, isUtf8);
  assert.equal(to('a b'), 'RCPT TO:<"a b"@x.example>\r\n');
  assert.equal(
    mailCommand({ sender: undefined, body: '8BITMIME' }, 5, { offered: NO_CAPABILITIES, now: 0 }),
    'MAIL FROM:<>\r\n',
  );
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('a', '\r', '\n', '\0', '>', '\xe9', ' ', '@')).map((parts) => parts.join('')),
      (localPart) => {
        try {
          assert.match(to(localPart), /^RCPT TO:<[ -~]*>\r\n$/);
        } catch (error) {
          assert.ok(error instanceof SyntaxFailure);
        }
      },
    ),
  );
});

/** What a server reads of what the encoder sends; undefined when it sends nothing whole. */
function throughTheWire(chunks: readonly Buffer[]): Buffer | undefined {
  const encoder = new DataEncoder();
  const wire: Buffer[] = [];
  for (const chunk of chunks) {
    const encoded = encoder.push(chunk);
    if (encoded === undefined) return undefined;
    wire.push(...encoded);
  }
  const end = encoder.end();
  if (end === undefined) return undefined;
  const reader = new DataReader();
  const { runs, rest } = reader.push(Buffer.concat([...wire, end]));
  assert.equal(reader.bad, undefined);
  assert.deepEqual(rest, Buffer.alloc(0));
  return Buffer.concat(runs);
}

test('data ends where it ends and arrives as it was, or is not sent at all', () => {
  const piece = fc.constantFrom('.', '..', '\r\n', '\r\n.', 'a', '\r\n.\r\n', '\r', '\n', '\0', 'text\r\n', '\xe9');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.integer({ min: 1, max: 5 }), (pieces, size) => {
      const text = pieces.join('');
      const isClean = !/\0|\r(?!\n)|(?<!\r)\n/.test(text);
      const got = throughTheWire(cut(text, size))?.toString('latin1');
      const whole = text === '' || text.endsWith('\r\n') ? text : `${text}\r\n`;
      assert.equal(got, isClean ? whole : undefined);
    }),
    { numRuns: 2000 },
  );
});

test('any octets are replies, or none from some place on, the same however they are cut; what is offered is sound', () => {
  const seeds = [
    '220 mx ESMTP\r\n250-mx\r\n250-SIZE 10\r\n250 HELP\r\n550-5.1.1 no\r\n550 5.1.1 such user\r\n354\r\n',
    '250-mx.example\r\n250-SIZE 35882577\r\n250-AUTH=PLAIN LOGIN\r\n250-LIMITS RCPTMAX=100 MAILMAX=20\r\n250 DELIVERBY 60\r\n',
    '220-mx\r\n220-wait\r\n521-5.7.1 you are\r\n521 on a list\r\n',
  ];
  fc.assert(
    fc.property(mutatedOctets(seeds), pieceSizes, (octets, sizes) => {
      const whole = read([octets]);
      assert.deepEqual(read(inPieces(octets, sizes)), whole);
      for (const reply of whole) {
        if (reply === 'bad') continue;
        const { code, enhanced, lines, said } = reply;
        assert.ok(code >= 200 && code <= 599 && lines.length <= 100 && said.length <= 1000);
        assert.ok(said.startsWith(String(code)) && !/[\r\n\0]/.test(said));
        assert.match(enhanced ?? `${code}`.charAt(0), new RegExp(`^${`${code}`.charAt(0)}(\\.\\d{1,3}\\.\\d{1,3})?$`));
        const { sizeBytes = 0, deliverBy = 0, auth, limits } = parseCapabilities(lines);
        for (const number of [sizeBytes, deliverBy]) assert.ok(Number.isSafeInteger(number) && number >= 0);
        for (const number of Object.values(limits)) assert.ok(Number.isSafeInteger(number) && number > 0);
        for (const word of auth) assert.ok(word !== '' && !word.includes(' '));
      }
    }),
    fuzzCases(2000),
  );
});
