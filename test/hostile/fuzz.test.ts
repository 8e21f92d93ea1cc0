// Real dialogues, mutated, in each state of a connection: an answer or a close, never a bug, and others are served.
//
// In      WAYPOST_FUZZ_SEED, a number, for another run than the usual one; WAYPOST_FUZZ_RUNS, mutations a state
// Judged  after the peer has said all and closed its side, the server closes; the log shows no bug and no stack

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { encodeRequest, type LdapRequest } from '../../src/wire/ldap/message.ts';
import { PASSWORD, userDn } from '../support/directory.ts';
import type { Door } from '../support/server.ts';
import { UnderAttack } from '../support/under-attack.ts';
import { Random } from './random.ts';

const SEED = Number(process.env['WAYPOST_FUZZ_SEED'] ?? 1);
const RUNS = Number(process.env['WAYPOST_FUZZ_RUNS'] ?? 40);
const AT_ONCE = 15;
/** From the peer's last word to the end of the connection. */
const CLOSE_MS = 60_000;

let attack: UnderAttack;
// Also where the last test, which stops the server, is not asked for.
after(() => attack?.server.stop());
before(async () => {
  attack = await UnderAttack.start({ config: '[limits]\nrecipients = 50\n' });
});

const WORDS = [
  '\0',
  '\r',
  '\n',
  '\r\n',
  '.',
  '\r\n.\r\n',
  ' ',
  '"',
  '\\',
  '(',
  ')',
  '{5}\r\n',
  '{5+}\r\n',
  '{4294967296+}\r\n',
  '*',
  '%',
  '1:*',
  '4294967295',
  '9007199254740993',
  '-1',
  '\xff\xfe',
  '=',
  '<>',
  '@',
  '__proto__',
  'x'.repeat(3000),
  '\x30\x84\x7f\xff\xff\xff',
  '\x30\x80',
].map((word) => Buffer.from(word, 'latin1'));

/** One to six changes: octets turned, taken out, doubled, words put in, another dialogue's piece. */
function mutate(random: Random, seed: Buffer, others: readonly Buffer[]): Buffer {
  let bytes = seed;
  for (let changes = 1 + random.below(6); changes > 0; changes--) {
    const at = random.below(bytes.length + 1);
    const end = at + random.below(Math.min(40, bytes.length - at) + 1);
    const [head, middle, tail] = [bytes.subarray(0, at), bytes.subarray(at, end), bytes.subarray(end)];
    switch (random.below(6)) {
      case 0:
        bytes = Buffer.concat([head, middle.map((octet) => octet ^ (1 << random.below(8))), tail]);
        break;
      case 1:
        bytes = Buffer.concat([head, tail]);
        break;
      case 2:
        bytes = Buffer.concat([head, middle, middle, tail]);
        break;
      case 3:
        bytes = Buffer.concat([head, random.of(WORDS), middle, tail]);
        break;
      case 4:
        bytes = Buffer.concat([head, Buffer.alloc(middle.length, random.below(256)), tail]);
        break;
      default: {
        const other = random.of(others);
        const from = random.below(other.length);
        bytes = Buffer.concat([head, other.subarray(from, from + random.below(200)), middle, tail]);
      }
    }
  }
  return bytes;
}

interface State {
  readonly door: Door;
  readonly state: string;
  /** Said as it is, before the mutated part. */
  readonly before: string | Uint8Array;
  readonly seeds: readonly (string | Uint8Array)[];
}

const mailTo = (name: string): string => `MAIL FROM:<c@r.example>\r\nRCPT TO:<${name}@acme.example>\r\n`;
const plain = Buffer.from(`\0mallory@acme.example\0${PASSWORD}`).toString('base64');
const smtpSeeds = [
  `EHLO x.example\r\n${mailTo('mallory')}DATA\r\nSubject: x\r\nFrom: a@b.example\r\n\r\n..x\r\n.\r\nQUIT\r\n`,
  `HELO x\r\nMAIL FROM:<> SIZE=100 BODY=8BITMIME\r\nRCPT TO:<"a b"@[127.0.0.1]>\r\nRSET\r\nNOOP x\r\nVRFY x\r\nHELP\r\n`,
  `EHLO [IPv6:::1]\r\nAUTH PLAIN ${plain}\r\nMAIL FROM:<mallory@acme.example> AUTH=<>\r\nRCPT TO:<@a,@b:x@y.example>\r\n`,
  'EHLO x\r\nAUTH LOGIN\r\nbWFsbG9yeQ==\r\n*\r\nAUTH PLAIN\r\n=\r\nMAIL FROM:<a@xn--bcher-kva.example>\r\n',
];
const message =
  'Received: from x by y; Tue, 24 Nov 2026 10:00:00 +0000\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n' +
  '--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: =?utf-8?q?x?=\r\n\r\nx\r\n--b--\r\n.\r\n';
const imapLogin = `a LOGIN mallory@acme.example ${PASSWORD}\r\n`;
const imapSeeds = [
  `a CAPABILITY\r\nb LOGIN {20+}\r\nmallory@acme.example ${PASSWORD}\r\nc LIST "" "*"\r\nd LOGOUT\r\n`,
  `a AUTHENTICATE PLAIN\r\n${plain}\r\nb ID ("name" "x" "version" NIL)\r\n`,
  'a SELECT INBOX\r\nb FETCH 1:* (UID FLAGS EMAILID SAVEDATE PREVIEW (LAZY) BINARY.SIZE[1] BINARY.PEEK[1]<0.9> ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (TO FROM)]<0.20>)\r\nc CLOSE\r\n',
  'a SEARCH CHARSET UTF-8 OR (SEEN NOT DELETED) (SINCE 1-Jan-2020 TEXT {3+}\r\nabc) UID 1:5,7,*\r\nb SEARCH RETURN (SAVE MIN PARTIAL -1:-9) OLDER 5 YOUNGER 9 UID $\r\nb UID FETCH $ UID (PARTIAL 1:2)\r\nb IDLE\r\nDONE\r\n',
  'a UID SORT RETURN (UPDATE (UID BODY[]) CONTEXT) (SIZE) UTF-8 SEEN\r\nb CANCELUPDATE "a"\r\na ESEARCH IN (personal subtree-one (a INBOX) mailboxes INBOX) RETURN (COUNT PARTIAL 1:2) SEEN\r\nb ESEARCH ALL\r\na SORT RETURN (MAX PARTIAL 1:5) (REVERSE SUBJECT DATE DISPLAYFROM) UTF-8 ALL\r\nb UID THREAD REFERENCES UTF-8 ALL\r\nb THREAD ORDEREDSUBJECT US-ASCII 1:*\r\n',
  'a NOTIFY SET STATUS (selected-delayed (MessageNew (UID FLAGS BODY.PEEK[HEADER]) MessageExpunge FlagChange)) (subtree (a INBOX) (MailboxName)) (subscribed (SubscriptionChange))\r\nb NOTIFY SET (mailboxes "INBOX" NONE)\r\na NOTIFY NONE\r\n',
  'a APPEND INBOX (\\Seen k) " 1-Jan-2020 00:00:00 +0000" {30+}\r\nSubject: x\r\n\r\n012345678901234\r\nb EXPUNGE\r\n',
  'a CREATE "A/&AOQ-"\r\nb RENAME "A" "B/C"\r\nc SUBSCRIBE B\r\nd LSUB "" %\r\ne DELETE B\r\nf STATUS INBOX (MESSAGES UIDNEXT)\r\n',
  'a APPEND INBOX (\\Seen) {3+}\r\none ~{3+}\r\nt\0o (k) UTF8 (~{5+}\r\nthree)\r\nb UNSELECT\r\n',
  `a UNAUTHENTICATE\r\n${imapLogin}b GETQUOTAROOT INBOX\r\nc GETQUOTA "mallory@acme.example"\r\nd LANGUAGE en-GB *\r\n`,
  'a SETMETADATA INBOX (/private/comment {3+}\r\nx\ny /shared/comment NIL "/private/bin" ~{3+}\r\na\0b)\r\nb GETMETADATA (MAXSIZE 2 DEPTH infinity) INBOX (/private /shared/comment)\r\nc GETMETADATA "" /shared/admin\r\nd LIST "" % RETURN (METADATA ("/private/comment"))\r\n',
  'a SETQUOTA "" (STORAGE 512 MESSAGE 3)\r\nb STATUS INBOX (DELETED-STORAGE APPENDLIMIT)\r\nc UNAUTHENTICATE\r\n',
  'a REPLACE 1 INBOX (\\Draft) {3+}\r\nabc\r\nb UID REPLACE * "Drafts" " 1-Jan-2020 00:00:00 +0000" ~{3+}\r\nabc\r\n',
  'a APPEND INBOX CATENATE (URL "/INBOX/;UID=1/;SECTION=HEADER" TEXT {5+}\r\nabcde URL {13+}\r\n/INBOX/;UID=1 TEXT {3+}\r\nxyz)\r\n',
  'a GENURLAUTH "imap://mallory%40acme.example@x/INBOX/;UID=1;EXPIRE=2030-01-01T00:00:00Z;URLAUTH=user+x" INTERNAL {14+}\r\n/INBOX/;UID=1x INTERNAL\r\nb RESETKEY INBOX INTERNAL\r\nc RESETKEY\r\n',
  'a URLFETCH "imap://mallory%40acme.example@x/INBOX/;UID=1/;SECTION=1;URLAUTH=anonymous:internal:0191354a473744909de610943775f92038" /INBOX/;UID=1 "x"\r\n',
  'a APPEND INBOX CATENATE (URL "imap://mallory%40acme.example@x/INBOX;UIDVALIDITY=3/;UID=1/;PARTIAL=1.2")\r\n',
  'a LIST (SUBSCRIBED RECURSIVEMATCH) "" (INBOX "%/*") RETURN (CHILDREN STATUS (MESSAGES SIZE DELETED))\r\nb NAMESPACE\r\n',
  'a CREATE "x/y" (USE (\\Sent \\Junk))\r\nb LIST (SPECIAL-USE) "" * RETURN (SPECIAL-USE)\r\nc LOGIN {70000+}\r\nxyz\r\n',
  'a UID STORE 1:* +FLAGS.SILENT (\\Deleted $Junk)\r\nb UID COPY 1:* INBOX\r\nc UID MOVE 2:3 INBOX\r\nc UID EXPUNGE 1:3\r\nd NOOP\r\ne CHECK\r\n',
];
const popSeeds = [
  `CAPA\r\nUSER mallory@acme.example\r\nPASS ${PASSWORD}\r\nSTAT\r\nLIST\r\nUIDL 1\r\nRETR 1\r\nQUIT\r\n`,
  `AUTH PLAIN ${plain}\r\nTOP 1 2147483648\r\nDELE 1\r\nRSET\r\nNOOP\r\nLAST\r\n`,
  'AUTH PLAIN\r\n=\r\nAPOP x y\r\nUTF8\r\nSTLS\r\nLIST 4294967296\r\nDELE -1\r\nRETR 01\r\n',
];
const ldap = (messageId: number, operation: LdapRequest): Buffer =>
  Buffer.from(encodeRequest({ messageId, operation, controls: [] }));
const value = (text: string): Buffer => Buffer.from(text);
const bindAs = (name: string, password: string): Buffer =>
  ldap(1, { kind: 'bind', version: 3, name, authentication: { method: 'simple', password: value(password) } });
const ldapSeeds = (): Buffer[] => [
  Buffer.concat([
    bindAs('cn=nobody', 'x'),
    ldap(2, {
      kind: 'bind',
      version: 2,
      name: '',
      authentication: { method: 'sasl', mechanism: 'PLAIN', credentials: value('\0a\0b') },
    }),
  ]),
  ldap(3, {
    kind: 'search',
    baseObject: 'dc=acme,dc=example,o=internet',
    scope: 'sub',
    derefAliases: 'never',
    sizeLimit: 10,
    timeLimit: 10,
    typesOnly: false,
    filter: {
      kind: 'and',
      filters: [
        { kind: 'or', filters: [{ kind: 'equality', attribute: 'mail', value: value('ann@acme.example') }] },
        { kind: 'not', filter: { kind: 'present', attribute: 'objectClass' } },
        { kind: 'substrings', attribute: 'cn;lang-en', initial: value('a'), any: [value('n')], final: value('n') },
        { kind: 'extensible', rule: '2.5.13.2', attribute: 'cn', value: value('x'), dnAttributes: true },
        { kind: 'greaterOrEqual', attribute: 'createTimestamp', value: value('20260101000000Z') },
      ],
    },
    attributes: ['*', '+', '1.1'],
  }),
  ldap(4, {
    kind: 'add',
    dn: 'dc=fuzz,dc=example,o=internet',
    attributes: [
      { name: 'objectClass', values: ['domain', 'inetDomain', 'mailDomain'].map(value) },
      { name: 'dc', values: [value('fuzz')] },
    ],
  }),
  ldap(5, {
    kind: 'modify',
    dn: 'dc=fuzz,dc=example,o=internet',
    modifications: [
      { operation: 'add', attribute: 'description', values: [value('x')] },
      { operation: 'replace', attribute: 'inetDomainStatus', values: [value('active')] },
      { operation: 'delete', attribute: 'description', values: [] },
    ],
  }),
  ldap(6, {
    kind: 'modifyDn',
    dn: 'uid=x,ou=People,dc=fuzz,dc=example,o=internet',
    newRdn: 'uid=y+cn=\\2C',
    deleteOldRdn: true,
    newSuperior: undefined,
  }),
  ldap(7, { kind: 'compare', dn: 'o=internet', attribute: 'objectClass', value: value('organization') }),
  ldap(8, { kind: 'delete', dn: 'dc=fuzz,dc=example,o=internet' }),
  Buffer.concat([
    ldap(9, { kind: 'extended', name: '1.3.6.1.4.1.1466.20037', value: undefined }),
    ldap(10, { kind: 'abandon', abandoned: 9 }),
    ldap(11, { kind: 'unbind' }),
  ]),
];
const dnsSeeds = [
  '0006', // a length, and less than a header
  '001e123401000001000000000000' + '0461636d65076578616d706c6500000f0001',
  '0029123401000001000000000001' + '0461636d65076578616d706c6500000f0001' + '0000291000000080000000',
  '0012123401000001000000000000' + 'c00c000f0001',
].map((hex) => Buffer.from(hex, 'hex'));

const states: readonly State[] = [
  { door: 'smtp', state: 'greeted', before: '', seeds: smtpSeeds },
  {
    door: 'smtp',
    state: 'with recipients',
    before: `EHLO x\r\n${mailTo('mallory')}`,
    seeds: [...smtpSeeds, `DATA\r\n${message}`],
  },
  { door: 'smtp', state: 'in a message', before: `EHLO x\r\n${mailTo('mallory')}DATA\r\n`, seeds: [message] },
  {
    door: 'smtp',
    state: 'in AUTH',
    before: 'EHLO x\r\nAUTH LOGIN\r\n',
    seeds: [`bWFsbG9yeUBhY21lLmV4YW1wbGU=\r\nc2VjcmV0\r\n${smtpSeeds[0]}`],
  },
  { door: 'submission', state: 'greeted', before: '', seeds: smtpSeeds },
  {
    door: 'submission',
    state: 'logged in',
    before: `EHLO x\r\nAUTH PLAIN ${plain}\r\nMAIL FROM:<mallory@acme.example>\r\n`,
    seeds: [`RCPT TO:<mallory@acme.example>\r\nDATA\r\n${message}`],
  },
  { door: 'imap', state: 'greeted', before: '', seeds: imapSeeds },
  { door: 'imap', state: 'logged in', before: imapLogin, seeds: imapSeeds },
  {
    door: 'imap',
    state: 'in UTF-8',
    before: `${imapLogin}b ENABLE UTF8=ACCEPT\r\n`,
    seeds: [...imapSeeds, 'a CREATE "\xc3\xa4"\r\n'],
  },
  { door: 'imap', state: 'selected', before: `${imapLogin}b SELECT INBOX\r\n`, seeds: imapSeeds },
  {
    door: 'imap',
    state: 'in IDLE',
    before: `${imapLogin}b SELECT INBOX\r\nc IDLE\r\n`,
    seeds: ['DONE\r\n', ...imapSeeds],
  },
  {
    door: 'imap',
    state: 'in a literal',
    before: `${imapLogin}b APPEND INBOX {200+}\r\n`,
    seeds: [`${message.repeat(3)}${imapSeeds[2]}`],
  },
  { door: 'pop3', state: 'greeted', before: '', seeds: popSeeds },
  {
    door: 'pop3',
    state: 'with the maildrop',
    before: `USER mallory@acme.example\r\nPASS ${PASSWORD}\r\n`,
    seeds: popSeeds,
  },
  { door: 'ldap', state: 'anonymous', before: '', seeds: ldapSeeds() },
  { door: 'ldap', state: 'a user', before: bindAs(userDn('mallory@acme.example'), PASSWORD), seeds: ldapSeeds() },
  { door: 'dns', state: 'over TCP', before: '', seeds: dnsSeeds },
  {
    door: 'http',
    state: 'connected',
    before: '',
    seeds: [
      'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n',
      'POST /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n',
    ],
  },
];

/** Says it in pieces, closes its side, and waits for the other end to close; false when it does not. */
function converse(door: Door, random: Random, said: Buffer): Promise<boolean> {
  const { host, port } = attack.server.listeners[door];
  const socket = connect({ host, port, noDelay: true });
  return new Promise((closed) => {
    const late = setTimeout(() => {
      socket.destroy();
      closed(false);
    }, CLOSE_MS);
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(late);
      closed(true);
    });
    socket.resume();
    const cut = random.below(said.length + 1);
    socket.write(said.subarray(0, cut));
    setImmediate(() => socket.end(said.subarray(cut)));
  });
}

describe('mutated dialogues', () => {
  for (const [index, { door, state, before, seeds }] of states.entries())
    test(`${door}, ${state}`, async () => {
      const random = new Random(SEED * 1000 + index);
      const octets = seeds.map((seed) => (typeof seed === 'string' ? Buffer.from(seed, 'latin1') : Buffer.from(seed)));
      const prefix = typeof before === 'string' ? Buffer.from(before, 'latin1') : Buffer.from(before);
      await attack.meanwhile(async () => {
        for (let run = 0; run < RUNS; run += AT_ONCE) {
          const said = Array.from({ length: AT_ONCE }, () =>
            Buffer.concat([prefix, mutate(random, random.of(octets), octets)]),
          );
          const closed = await Promise.all(said.map((bytes) => converse(door, random, bytes)));
          const open = closed.indexOf(false);
          assert.equal(open, -1, `never closed: ${JSON.stringify(said[open]?.toString('latin1').slice(0, 2000))}`);
        }
      });
    });

  test('datagrams to the DNS door', async () => {
    const { createSocket } = await import('node:dgram');
    const { host, port } = attack.server.listeners.dns;
    const random = new Random(SEED);
    const questions = dnsSeeds.map((seed) => seed.subarray(2));
    await attack.meanwhile(async () => {
      const socket = createSocket('udp4');
      for (let run = 0; run < 10 * RUNS; run++) {
        socket.send(mutate(random, random.of(questions), questions), port, host);
        if (run % 50 === 0) await new Promise((turn) => setTimeout(turn, 1));
      }
      socket.close();
    });
  });
});

test('afterwards everything acknowledged is there, and the log shows no bug', (context) =>
  attack.judge((line) => context.diagnostic(line)));
