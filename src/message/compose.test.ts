// What is composed is read back by the parser as it was said, whatever the texts are; and no value begins a field of its own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { composeMessage, type MessageParts } from './compose.ts';
import { decodeWords } from './decode.ts';
import { findValue, parseHeader } from './header.ts';
import { decodeQuotedPrintable } from './quoted-printable.ts';

const ANN = { name: '', address: { localPart: 'ann', domain: 'acme.example' } };
const composed = (parts: Partial<MessageParts>): Buffer =>
  Buffer.concat(composeMessage({ from: ANN, to: [], cc: [], fields: [], files: [], ...parts }));

/** Without line breaks and other control characters, which whoever asks refuses. */
const words = fc
  .string({ unit: fc.constantFrom('a', 'ß', '😀', ' ', '"', '\\', '=?', '?=', ',', '-', '.'), maxLength: 300 })
  .map((text) => text.trim().replace(/ +/g, ' '))
  .filter((text) => !text.includes('=?'));

test('a subject and a name are read back as they were, on lines that every host takes', () => {
  fc.assert(
    fc.property(words, words, (subject, name) => {
      const bytes = composed({ subject, from: { ...ANN, name } });
      const header = parseHeader(bytes);
      const lines = header.text.split('\r\n');
      assert.ok(lines.every((line) => line.length <= 998 && !/[^\x20-\x7e]/.test(line)));
      assert.deepEqual(
        header.fields.map((field) => field.name),
        ['from', 'subject', 'mime-version', 'content-type', 'content-transfer-encoding'],
      );
      assert.equal(decodeWords(findValue(header, 'subject') ?? '').trim(), subject);
    }),
    { numRuns: 200 },
  );
});

test('a text is read back as it was, with CRLF', () => {
  fc.assert(
    fc.property(
      fc.string({
        unit: fc.constantFrom('a', 'ß', '\n', '\r\n', '-', '=', ' ', '.', '\0', 'x'.repeat(600)),
        maxLength: 60,
      }),
      (text) => {
        const bytes = composed({ text });
        const header = parseHeader(bytes);
        const isPlain = findValue(header, 'content-transfer-encoding') === '7bit';
        const body = bytes.subarray(header.end);
        const read = (isPlain ? body : decodeQuotedPrintable(body)).toString();
        assert.equal(read, text.replace(/\r\n|\r|\n/g, '\r\n'));
        assert.ok(
          body
            .toString('latin1')
            .split('\r\n')
            .every((line) => line.length <= 998),
        );
      },
    ),
    { numRuns: 200 },
  );
});

test('what no header can have is refused', () => {
  for (const [name, value] of [
    ['', 'x'],
    ['X Y', 'x'],
    ['X:', 'x'],
    ['Subject', 'x'],
    ['Content-Type', 'x'],
    ['Message-ID', '<ß@x>'],
    ['X-Long', 'x'.repeat(1000)],
    ['X', 'a\r\nY: b'],
  ] as const)
    assert.throws(() => composed({ fields: [[name, value]] }), { kind: 'syntax' }, name);
});

test('a file that is a message is one within this one, whatever kind it is; what is UTF-8 may be encoded', () => {
  const content = Buffer.from('Reporting-MTA: dns; mx.example\n\nAction: failed\n').toString('base64');
  const encodingOf = (contentType: string): string | undefined =>
    /^Content-Type: message[\s\S]*?^Content-Transfer-Encoding: (\S+)/im.exec(
      composed({ text: 'x', files: [{ filename: undefined, contentType, content, cid: undefined }] }).toString(
        'latin1',
      ),
    )?.[1];
  for (const type of ['message/rfc822', 'Message/Delivery-Status', 'message/disposition-notification'])
    assert.equal(encodingOf(type), '7bit', type);
  assert.equal(encodingOf('message/global'), 'base64');
});

test('a file arrives octet by octet, a text too', () => {
  const octets = Buffer.from(
    Array.from({ length: 600 }, (_, at) => (at % 3 === 0 ? [10, 13, 0, 46][at % 4]! : at & 255)),
  );
  const content = octets.toString('base64');
  const bytes = composed({
    text: 'x',
    files: [{ filename: 'a.txt', contentType: 'text/plain', content, cid: undefined }],
  });
  const encoded = /^Content-Transfer-Encoding: base64\r\n\r\n([\s\S]*?)\r\n--/m.exec(bytes.toString('latin1'))?.[1];
  assert.ok(Buffer.from(encoded ?? '', 'base64').equals(octets));
});
