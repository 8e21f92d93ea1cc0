// Malformed and over-long input at each door of the started program: the protocol's clear error in bounded memory,
// others are served meanwhile. RFC 5321 §4.5.3, RFC 3501 §2.2 §4, RFC 1939 §3, RFC 4511 §5.1, RFC 1035 §4.1.4

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Door } from '../support/server.ts';
import { UnderAttack } from '../support/under-attack.ts';

let attack: UnderAttack;
// Also where the last test, which stops the server, is not asked for.
after(() => attack?.server.stop());
before(async () => {
  attack = await UnderAttack.start();
});

/** A BER element; the length as it really is. */
function ber(tag: number, ...content: readonly (Uint8Array | string)[]): Buffer {
  const body = Buffer.concat(content.map((part) => Buffer.from(part as string, 'latin1')));
  const length = Buffer.alloc(5);
  length[0] = 0x84;
  length.writeUInt32BE(body.length, 1);
  return Buffer.concat([Buffer.from([tag]), length, body]);
}

const octets = (...values: readonly number[]): Buffer => Buffer.from(values);
/** An anonymous search below this filter. */
const search = (filter: Uint8Array): Buffer =>
  ber(
    0x30,
    octets(2, 1, 7),
    ber(0x63, ber(4, 'o=internet'), octets(10, 1, 2, 10, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0), filter, octets(0x30, 0)),
  );

function nested(depth: number): Buffer {
  // Innermost (cn=*), each NOT around it with an honest length: built from the inside with room for all headers.
  const parts: Buffer[] = [octets(0x87, 2, 0x63, 0x6e)];
  let length = 4;
  for (let i = 0; i < depth; i++) {
    const header = octets(0xa2, 0x84, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255);
    parts.push(header);
    length += header.length;
  }
  return Buffer.concat(parts.reverse());
}

const dnsHeader = (questions: number, answers = 0): Buffer =>
  octets(0x12, 0x34, 1, 0, questions >> 8, questions & 255, answers >> 8, answers & 255, 0, 0, 0, 0);
const overTcp = (message: Uint8Array, length = message.length): Buffer =>
  Buffer.concat([octets(length >> 8, length & 255), message]);

interface Probe {
  readonly door: Door;
  readonly what: string;
  readonly say: Uint8Array | string;
  /** Must come, as latin1 with line ends as they are. Undefined: the connection closes without a word. */
  readonly answer: RegExp | undefined;
}

const ehlo = 'EHLO x\r\n';
const probes: readonly Probe[] = [
  {
    door: 'smtp',
    what: 'a line of 1 MB',
    say: `NOOP ${'x'.repeat(2 ** 20)}\r\nNOOP\r\n`,
    answer: /^500 5\.5\.2 .*\r\n250 /m,
  },
  { door: 'smtp', what: 'NUL in a command', say: 'NO\0OP\r\nNOOP\r\n', answer: /^500 5\.5\.2 .*\r\n250 /m },
  {
    door: 'smtp',
    what: 'binary noise',
    say: Buffer.from(Array.from({ length: 4000 }, (_, i) => (i * 7919) % 256)),
    answer: /^(500|421) /m,
  },
  { door: 'smtp', what: 'an HTTP request', say: 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', answer: /^421 4\.7\.0 /m },
  {
    door: 'smtp',
    what: 'a SIZE beyond 2^53',
    say: `${ehlo}MAIL FROM:<a@b.example> SIZE=9007199254740993\r\n`,
    answer: /^(552|501) 5\./m,
  },
  {
    door: 'smtp',
    what: 'an address of 10,000 octets',
    say: `${ehlo}MAIL FROM:<${'a'.repeat(1000)}@b.example>\r\n`,
    answer: /^(501|553) 5\./m,
  },
  {
    door: 'smtp',
    what: 'AUTH with a line of 100 KB',
    say: `${ehlo}AUTH PLAIN\r\n${'A'.repeat(100_000)}\r\nNOOP\r\n`,
    answer: /^334 .*\r\n501 .*\r\n250 /m,
  },
  { door: 'smtp', what: '10,000 empty lines', say: '\r\n'.repeat(10_000), answer: /^421 4\.7\.0 /m },
  {
    door: 'imap',
    what: 'a line of 1 MB',
    say: `a ${'x'.repeat(2 ** 20)}\r\nb NOOP\r\n`,
    answer: /^(a|\*) BAD .*\r\n[\s\S]*b OK|BYE/m,
  },
  { door: 'imap', what: 'NUL in a command', say: 'a NO\0OP\r\nb NOOP\r\n', answer: /BAD [\s\S]*b OK/ },
  { door: 'imap', what: 'a literal of 4 GB before login', say: 'a LOGIN {4294967296}\r\n', answer: /BAD|NO|BYE/ },
  {
    door: 'imap',
    what: 'a literal of 4 GB that is not waited for',
    say: 'a LOGIN {4294967296+}\r\n',
    answer: /BAD|NO|BYE/,
  },
  { door: 'imap', what: 'a literal of 2^53+1', say: 'a LOGIN {9007199254740993+}\r\n', answer: /BAD|NO|BYE/ },
  { door: 'imap', what: 'a literal of 2^64', say: 'a LOGIN {18446744073709551616}\r\n', answer: /BAD|NO|BYE/ },
  {
    door: 'imap',
    what: 'nested parentheses',
    say: `a NOOP ${'('.repeat(20_000)}\r\nb NOOP\r\n`,
    answer: /BAD [\s\S]*b OK/,
  },
  { door: 'pop3', what: 'a line of 1 MB', say: `USER ${'x'.repeat(2 ** 20)}\r\nCAPA\r\n`, answer: /-ERR [\s\S]*\+OK/ },
  { door: 'pop3', what: 'NUL in a command', say: 'US\0ER x\r\nCAPA\r\n', answer: /-ERR [\s\S]*\+OK/ },
  {
    door: 'pop3',
    what: 'noise before the login',
    say: 'RETR 1\r\nTOP 1 2147483648\r\nDELE 9007199254740993\r\n',
    answer: /-ERR [\s\S]*-ERR [\s\S]*-ERR /,
  },
  // 1.3.6.1.4.1.1466.20036: the Notice of Disconnection, result 2 (protocolError).
  {
    door: 'ldap',
    what: 'a length of 2 GB',
    say: octets(0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 2, 1, 1),
    answer: /1466\.20036/,
  },
  {
    door: 'ldap',
    what: 'a length of 2^64',
    say: octets(0x30, 0x88, 255, 255, 255, 255, 255, 255, 255, 255),
    answer: /1466\.20036/,
  },
  {
    door: 'ldap',
    what: 'an indefinite length',
    say: octets(0x30, 0x80, 2, 1, 1, 0x42, 0, 0, 0),
    answer: /1466\.20036/,
  },
  {
    door: 'ldap',
    what: 'an inner length beyond the outer',
    say: octets(0x30, 6, 2, 1, 1, 0x63, 0x20, 0),
    answer: /1466\.20036/,
  },
  {
    door: 'ldap',
    what: 'a message id of 2^31',
    say: octets(0x30, 8, 2, 5, 0, 0x80, 0, 0, 0, 0x42),
    answer: /1466\.20036/,
  },
  { door: 'ldap', what: 'text', say: 'GET / HTTP/1.0\r\n\r\n', answer: /1466\.20036/ },
  { door: 'ldap', what: 'a NOT nested 5,000 deep', say: search(nested(5000)), answer: /nested at most 100 deep/ },
  {
    door: 'dns',
    what: 'a compression pointer to itself',
    say: overTcp(Buffer.concat([dnsHeader(1), octets(0xc0, 12, 0, 15, 0, 1)])),
    answer: /\x12\x34[\x80-\x87].../s,
  },
  {
    door: 'dns',
    what: '65,535 questions announced',
    say: overTcp(Buffer.concat([dnsHeader(65_535), octets(0, 0, 15, 0, 1)])),
    answer: /\x12\x34[\x80-\x87].../s,
  },
  { door: 'dns', what: 'a length with less behind it', say: overTcp(dnsHeader(0), 4), answer: undefined },
  {
    door: 'http',
    what: 'a header of 1 MB',
    say: `GET /healthz HTTP/1.1\r\nX: ${'x'.repeat(2 ** 20)}\r\n\r\n`,
    answer: /^HTTP\/1\.1 431 |^$/,
  },
  { door: 'http', what: 'no HTTP', say: 'EHLO x\r\n\r\n', answer: /^HTTP\/1\.1 400 / },
];

for (const door of new Set(probes.map((probe) => probe.door)))
  describe(door, () => {
    for (const { what, say, answer } of probes.filter((probe) => probe.door === door))
      test(what, async () => {
        const { received, isOver } = await attack.meanwhile(() => attack.exchange(door, say, answer ?? /./));
        if (answer !== undefined) assert.match(received, answer);
        else assert.deepEqual({ received, isOver }, { received: '', isOver: true });
      });
  });

test('afterwards everything acknowledged is there, and nothing went wrong', (context) =>
  attack.judge((line) => context.diagnostic(line)));
