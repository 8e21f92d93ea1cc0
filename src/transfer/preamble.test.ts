// What is put before a message and what is left out of it, against the header's own parser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseHeader } from '../message/header.ts';
import type { Preamble } from '../store/intake.ts';
import { preambleOf } from './preamble.ts';

const trace = {
  helloName: 'client.example',
  peerAddress: '192.0.2.1',
  hostname: 'mail.acme.example',
  protocol: 'ESMTP',
  id: '4kq2xw7b9d',
  recipient: undefined,
  at: Date.UTC(2026, 10, 24, 8),
} as const;

function of(text: string, isSubmission: boolean): Preamble {
  return preambleOf(Buffer.from(text, 'latin1'), { sender: 'ann@acme.example', trace, isSubmission });
}

function left(text: string, isSubmission: boolean): string {
  let kept = '';
  let at = 0;
  for (const [start, end] of of(text, isSubmission).without ?? []) {
    kept += text.slice(at, start);
    at = end;
  }
  return kept + text.slice(at);
}

test('Return-Path is left out of all mail, Bcc of submitted mail alone', () => {
  const text =
    'RETURN-path : <x@y>\r\n\tfolded\r\nBcc: a\r\n b\r\nSubject: x\r\nresent-bcc: c\r\nReturn-Path: <z@y>\r\n\r\nReturn-Path: body\r\n';
  assert.equal(
    left(text, false),
    'Bcc: a\r\n b\r\nSubject: x\r\nresent-bcc: c\r\n\r\nReturn-Path: body\r\n',
    'from another host',
  );
  assert.equal(left(text, true), 'Subject: x\r\n\r\nReturn-Path: body\r\n', 'from an author');
  assert.equal(of('Subject: x\r\n\r\n', false).without, undefined);
  assert.equal(of('Return-Pathology: x\r\n\r\n', false).without, undefined);
});

test('submission adds what the author left out, and says when it has not seen all of the header', () => {
  assert.match(
    of('Subject: x\r\n\r\n', true).fields,
    /\r\nDate: .*\r\nMessage-ID: <4kq2xw7b9d@mail\.acme\.example>\r\n$/,
  );
  assert.doesNotMatch(of('Subject: x\r\n\r\n', false).fields, /Date: /);
  assert.equal(of('Subject: x\r\n', true).isHeaderCut, true);
  assert.equal(of('Subject: x\r\n\r\n', true).isHeaderCut, false);
});

test('property: what is left is what the parser says, field by field', () => {
  const line = fc.constantFrom(
    ...[
      'Return-Path: <a@b>',
      'return-PATH  :x',
      'Return-Path',
      'Received: r',
      'R: x',
      'Bcc: b',
      'RESENT-BCC:',
      'To: t',
    ],
    ...[' folded', '\tReturn-Path: x', '', 'From ann', 'Return\rPath: x', 'Return-Path\u00a0: x'],
  );
  fc.assert(
    fc.property(fc.array(line), fc.boolean(), (lines, isSubmission) => {
      const text = lines.map((one) => `${one}\r\n`).join('');
      const header = parseHeader(Buffer.from(text, 'latin1'));
      const names = isSubmission ? ['return-path', 'bcc', 'resent-bcc'] : ['return-path'];
      const dropped = header.fields.filter(({ name }) => names.includes(name));
      let naive = '';
      for (let at = 0; at < text.length; at++)
        if (!dropped.some(({ start, end }) => at >= start && at < end)) naive += text[at];
      assert.equal(left(text, isSubmission), naive);
    }),
    { numRuns: 500 },
  );
});
