// What a list of messages shows of a message, whatever is in it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { previewOf, previewParts } from './preview.ts';
import { parseMessage } from './structure.ts';

/** Of the first part that says something. */
function preview(message: string | Buffer): string {
  const bytes = Buffer.from(message as string);
  for (const part of previewParts(parseMessage(bytes).structure)) {
    const text = previewOf(part, bytes.subarray(part.bodyStart, part.bodyEnd));
    if (text !== '') return text;
  }
  return '';
}

const html = (body: string): string => `Content-Type: text/html; charset=utf-8\r\n\r\n${body}`;

test('text without quotes and white space', () => {
  assert.equal(preview('A: b\r\n\r\n  Dear  Bob,\r\n\r\n> you wrote\r\nthanks.\r\n'), 'Dear Bob, thanks.');
  assert.equal(preview('A: b\r\n\r\n> only\r\n> quoted\r\n'), '> only quoted');
  assert.equal(preview('A: b\r\n\r\n\r\n'), '');
  assert.equal(preview('Content-Type: image/png\r\n\r\nx'), '');
  assert.equal(
    preview(
      'Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=\r\n=DFe',
    ),
    'Grüße',
  );
});

test('HTML without markup, scripts, styles and quotations', () => {
  const page =
    '<html><head><title>T</title><style>p { }</style></head><body><!-- x > y --><p>Hello <b>W</b>orld&excl;</p>' +
    '<script>if (a < b) alert("</p>")</script><blockquote>said <blockquote>before</blockquote></blockquote><div>a &lt; b&nbsp;&amp; c &#x20AC;&#99999999;</div>';
  assert.equal(preview(html(page)), 'Hello World&excl; a < b & c €&#99999999;');
  assert.equal(preview(html('<blockquote>all of it</blockquote>')), '> all of it');
  assert.equal(preview(html('<head><body>1 < 2 </ul')), '1 < 2');
  assert.equal(preview(html('&Uuml;ber')), 'Über');
});

test('the first part that says something; no attachment', () => {
  const part = (type: string, body: string) => `--x\r\nContent-Type: ${type}\r\n\r\n${body}\r\n`;
  const message = (parts: string) => `Content-Type: multipart/alternative; boundary=x\r\n\r\n${parts}--x--\r\n`;
  assert.equal(preview(message(part('text/plain', ' ') + part('text/html', '<p>rich'))), 'rich');
  assert.equal(
    preview(message(part('text/plain\r\nContent-Disposition: ATTACHMENT', 'file') + part('text/plain', 'text'))),
    'text',
  );
});

test('200 characters at most, none cut in two, and never long in making', () => {
  assert.equal(preview(`A: b\r\n\r\n${'😀'.repeat(300)}`), '😀'.repeat(200));
  assert.equal(preview(`A: b\r\n\r\n${'word '.repeat(100)}`), `${'word '.repeat(40).trimEnd()}`);
  for (const body of ['<', '&', '<!--', '<p', '<blockquote>', '&#', '< ', '<script></', '>\n'].map((text) =>
    text.repeat(20_000),
  ))
    assert.ok([...preview(html(body))].length <= 200);
});

test('any text at all gives some preview', () => {
  const text = fc.array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '<',
        '>',
        '</',
        '<!--',
        '-->',
        '<blockquote>',
        '</blockquote>',
        '<head>',
        '<style',
        '&',
        ';',
        '&#x1F;',
        '\r\n>',
      ),
    ),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(text, fc.boolean(), (parts, isHtml) => {
      const made = preview((isHtml ? html('') : 'A: b\r\n\r\n') + parts.join(''));
      assert.ok([...made].length <= 200);
      assert.doesNotMatch(made, /[\0-\x1f]/);
    }),
    { numRuns: 2000 },
  );
});
