import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { corpus } from '../../../../test/support/messages.ts';
import { decodeStructure, parseMessage } from '../../../message/structure.ts';
import { encodeBody, encodeBodyStructure } from './body-structure.ts';

function body(...lines: string[]): string {
  return encodeBody(decodeStructure(parseMessage(Buffer.from(lines.join('\r\n'), 'latin1')).structureText));
}

function bodyStructure(...lines: string[]): string {
  return encodeBodyStructure(decodeStructure(parseMessage(Buffer.from(lines.join('\r\n'), 'latin1')).structureText));
}

test('a text', () => {
  const lines = [
    'Content-Type: text/plain; charset=utf-8; format=flowed',
    'Content-Transfer-Encoding: 8bit',
    '',
    'one',
    'two',
    '',
  ];
  assert.equal(body(...lines), '("text" "plain" ("charset" "utf-8" "format" "flowed") NIL NIL "8bit" 10 2)');
  assert.equal(
    bodyStructure(...lines),
    '("text" "plain" ("charset" "utf-8" "format" "flowed") NIL NIL "8bit" 10 2 NIL NIL NIL NIL)',
  );
  assert.equal(body(), '("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0)');
});

test('all that a part can say', () => {
  const lines = [
    'Content-Type: image/png',
    'Content-Transfer-Encoding: base64',
    'Content-ID: <1@x>',
    'Content-Description: J\xc3\xb6rg',
    'Content-MD5: abc',
    'Content-Disposition: attachment; filename="a \\"b\\""; filename*=utf-8\'\'x',
    'Content-Language: de, en',
    'Content-Location: http://x/',
    '',
    'AAAA',
  ];
  assert.equal(body(...lines), '("image" "png" NIL "<1@x>" {5}\r\nJ\xc3\xb6rg "base64" 4)');
  assert.equal(
    bodyStructure(...lines),
    '("image" "png" NIL "<1@x>" {5}\r\nJ\xc3\xb6rg "base64" 4 "abc" ' +
      '("attachment" ("filename" "a \\"b\\"" "filename*" "utf-8\'\'x")) ("de" "en") "http://x/")',
  );
});

test('a multipart with a message in it', () => {
  const lines = [
    'Content-Type: multipart/mixed; boundary=b',
    'Content-Disposition: inline',
    '',
    '--b',
    'Content-Type: text/html',
    '',
    'x',
    '--b',
    'Content-Type: message/rfc822',
    '',
    'Subject: y',
    '',
    'z',
    '--b--',
  ];
  const envelope = '(NIL "y" NIL NIL NIL NIL NIL NIL NIL NIL)';
  assert.equal(
    body(...lines),
    '(("text" "html" NIL NIL NIL "7bit" 1 0)("message" "rfc822" NIL NIL NIL "7bit" 15 ' +
      `${envelope} ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0) 2) "mixed")`,
  );
  assert.equal(
    bodyStructure(...lines),
    '(("text" "html" NIL NIL NIL "7bit" 1 0 NIL NIL NIL NIL)("message" "rfc822" NIL NIL NIL "7bit" 15 ' +
      `${envelope} ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL) ` +
      '"mixed" ("boundary" "b") ("inline" NIL) NIL NIL)',
  );
});

test('a multipart without parts is shown with an empty one', () => {
  assert.equal(
    body('Content-Type: multipart/mixed; boundary=b', '', 'x'),
    '(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0) "mixed")',
  );
  assert.equal(
    bodyStructure('Content-Type: multipart/mixed; boundary=b', '', 'x'),
    '(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)',
  );
});

type Value = string | number | undefined | Value[];

/** One value of the response grammar: string, number, NIL or list. */
function readValue(text: string, at: number): { value: Value; end: number } {
  const rest = text.slice(at);
  if (rest.startsWith('(')) {
    const list: Value[] = [];
    let end = at + 1;
    while (text.charAt(end) !== ')') {
      if (text.charAt(end) === ' ') end++;
      const item = readValue(text, end);
      list.push(item.value);
      end = item.end;
    }
    return { value: list, end: end + 1 };
  }
  const literal = /^\{(\d+)\}\r\n/.exec(rest);
  if (literal !== null) {
    const start = literal[0].length;
    const end = start + Number(literal[1]);
    return { value: rest.slice(start, end), end: at + end };
  }
  const token = /^(?:"((?:[^"\\\r\n]|\\["\\])*)"|NIL|\d+)/.exec(rest);
  assert.notEqual(token, null, `no value at ${at} of ${text}`);
  const word = token![0];
  const value = token![1] ?? (word === 'NIL' ? undefined : Number(word));
  return { value, end: at + word.length };
}

/** RFC 3501 §9 body: the fields that each kind of part must have. */
function checkBody(value: Value, extended: boolean): void {
  assert.ok(Array.isArray(value));
  if (Array.isArray(value[0])) {
    const parts = value.filter((item, place) => Array.isArray(item) && value.slice(0, place).every(Array.isArray));
    for (const part of parts) checkBody(part, extended);
    assert.equal(typeof value[parts.length], 'string');
    assert.equal(value.length, parts.length + (extended ? 5 : 1));
    return;
  }
  const isText = value[0] === 'text';
  const isMessage = value[0] === 'message' && value[1] === 'rfc822';
  assert.equal(value.length, 7 + (isMessage ? 3 : isText ? 1 : 0) + (extended ? 4 : 0));
  assert.equal(typeof value[5], 'string');
  assert.equal(typeof value[6], 'number');
  if (!isMessage) return;
  assert.equal((value[7] as Value[]).length, 10);
  checkBody(value[8], extended);
}

test('property: whatever the message, both forms are well-formed bodies', () => {
  const piece = fc.constantFrom(
    'Content-Type: multipart/mixed; boundary="b"\r\n',
    'Content-Type: multipart/digest; boundary=c\r\n',
    'Content-Type: message/rfc822\r\n',
    'Content-Type: text/html; charset="\xff\\""; x=\0\r\n',
    'Content-Description: \\"\r\n \xfc\r\n',
    'Content-Disposition: a;b="c\r\n\td"\r\n',
    'Content-Language: , de,\r\n',
    'Subject: \xfc"\r\n',
    '--b\r\n',
    '--b--\r\n',
    '--c\r\n',
    '\r\n',
    'x\r\n',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const { structure } = parseMessage(Buffer.from(pieces.join(''), 'latin1'));
      for (const extended of [false, true]) {
        const text = extended ? encodeBodyStructure(structure) : encodeBody(structure);
        const { value, end } = readValue(text, 0);
        assert.equal(end, text.length);
        checkBody(value, extended);
      }
    }),
    { numRuns: 1000 },
  );
});

test('goldens: the text that the corpus has', () => {
  for (const { message, now, ...golden } of corpus()) {
    assert.equal(body(message), (now ?? golden).body, message);
    assert.equal(bodyStructure(message), (now ?? golden).bodyStructure, message);
  }
});
