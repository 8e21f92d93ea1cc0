import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { corpus } from '../../../../test/support/messages.ts';
import { parseHeader } from '../../../message/header.ts';
import { encodeHeader, readHeaderValues } from '../../../message/header-values.ts';
import { encodeEnvelopeItem, encodeStoredEnvelope } from './envelope.ts';

const EMPTY_ENVELOPE = '(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)';

function envelope(header: string): string {
  const values = readHeaderValues(parseHeader(Buffer.from(header, 'latin1')));
  const text = encodeEnvelopeItem(values);
  assert.equal(encodeStoredEnvelope(encodeHeader(values)), text);
  return text;
}

test('the example of RFC 3501 §8', () => {
  const header =
    'Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n' +
    'From: Terry Gray <gray@cac.washington.edu>\r\n' +
    'Subject: IMAP4rev1 WG mtg summary and minutes\r\n' +
    'To: imap@cac.washington.edu\r\n' +
    'cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n' +
    'Message-Id: <B27397-0100000@cac.washington.edu>\r\n\r\n';
  const gray = '(("Terry Gray" NIL "gray" "cac.washington.edu"))';
  assert.equal(
    envelope(header),
    `("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev1 WG mtg summary and minutes" ${gray} ${gray} ${gray} ` +
      '((NIL NIL "imap" "cac.washington.edu")) ((NIL NIL "minutes" "CNRI.Reston.VA.US")' +
      '("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL "<B27397-0100000@cac.washington.edu>")',
  );
});

test('a message without fields has an envelope of NIL', () => {
  assert.equal(envelope(''), EMPTY_ENVELOPE);
  assert.equal(envelope('\r\nSubject: body\r\n'), EMPTY_ENVELOPE);
});

test('an empty field is an empty string, an empty list NIL, and an empty Sender the author', () => {
  const a = '((NIL NIL "a" "x"))';
  assert.equal(
    envelope('Subject:\r\nFrom: a@x\r\nSender: \r\nReply-To: ,\r\nTo:\r\nMessage-ID:\r\n\r\n'),
    `(NIL "" ${a} ${a} ${a} NIL NIL NIL NIL "")`,
  );
  assert.equal(
    envelope('From: a@x\r\nSender: s@x\r\nReply-To: r@x\r\n\r\n'),
    `(NIL NIL ${a} ((NIL NIL "s" "x")) ((NIL NIL "r" "x")) NIL NIL NIL NIL NIL)`,
  );
});

test('groups, routes, quotes, 8-bit and folding', () => {
  assert.equal(
    envelope(
      'To: "A \\"B\\"" <@r.example:a@x>,\r\n\tTeam: b@y;\r\nSubject: J\xc3\xb6rg\r\n folded\r\nCc: "x\r\n y" <c@z>\r\n' +
        'Bcc: =?utf-8?Q?=C3=BC?= <d@z>\r\nIn-Reply-To: <1@x>\r\n <2@x>\r\n\r\n',
    ),
    '(NIL {12}\r\nJ\xc3\xb6rg folded NIL NIL NIL (("A \\"B\\"" "@r.example" "a" "x")(NIL NIL "Team" NIL)(NIL NIL "b" "y")' +
      '(NIL NIL NIL NIL)) (("x y" NIL "c" "z")) (("=?utf-8?Q?=C3=BC?=" NIL "d" "z")) "<1@x> <2@x>" NIL)',
  );
});

test('of a field that comes twice the first counts', () => {
  assert.equal(envelope('Subject: one\r\nSubject: two\r\n\r\n'), '(NIL "one" NIL NIL NIL NIL NIL NIL NIL NIL)');
});

/** Skips one value of RFC 3501's response grammar; gives where it ends. */
function skipValue(text: string, at: number): number {
  const rest = text.slice(at);
  if (rest.startsWith('NIL')) return at + 3;
  if (rest.startsWith('(')) {
    let end = at + 1;
    while (text.charAt(end) !== ')') {
      if (text.charAt(end) === ' ') end++;
      end = skipValue(text, end);
    }
    return end + 1;
  }
  const literal = /^\{(\d+)\}\r\n/.exec(rest);
  if (literal !== null) return at + literal[0].length + Number(literal[1]);
  const quoted = /^"(?:[^"\\\r\n]|\\["\\])*"/.exec(rest);
  assert.notEqual(quoted, null, `no value at ${at} of ${text}`);
  return at + quoted![0].length;
}

test('property: whatever the header holds, the envelope is one well-formed list of ten', () => {
  const name = fc.constantFrom('From', 'To', 'Cc', 'Subject', 'Date', 'Message-ID', 'Reply-To', 'In-Reply-To');
  const piece = fc.constantFrom(
    'a@x',
    ' ',
    '<',
    '>',
    '"',
    '\\',
    '(',
    ')',
    ',',
    ':',
    ';',
    '\xff',
    '\0',
    '\r\n ',
    '\n\t',
    '\r',
    '{5}',
  );
  const field = fc.tuple(name, fc.array(piece, { maxLength: 12 })).map(([n, pieces]) => `${n}: ${pieces.join('')}\r\n`);
  fc.assert(
    fc.property(fc.array(field, { maxLength: 6 }), (fields) => {
      const text = envelope(`${fields.join('')}\r\n`);
      assert.equal(text.includes('\0'), false);
      assert.equal(skipValue(text, 0), text.length);
      let at = 1;
      for (let i = 0; i < 10; i++) at = skipValue(text, at) + 1;
      assert.equal(at, text.length);
    }),
    { numRuns: 500 },
  );
});

test('half a million addresses are read once and bounded', () => {
  const text = envelope(`To: ${'a@b.example,\r\n '.repeat(500_000)}\r\n\r\n`);
  assert.ok(text.length < 50_000);
});

test('goldens: the text that the corpus has', () => {
  for (const golden of corpus())
    assert.equal(envelope(golden.message), (golden.now ?? golden).envelope, golden.message);
});
