import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAddress } from './address.ts';
import { buildDeliveryReport, type DeliveryReport, type ReportedRecipient } from './dsn.ts';
import { parseHeader } from './header.ts';
import { decodeQuotedPrintable } from './quoted-printable.ts';
import { findSection } from './section.ts';
import { parseMessage } from './structure.ts';

const at = Date.UTC(2026, 10, 24, 8);

const refused: ReportedRecipient = {
  address: parseAddress('bob@remote.example'),
  original: undefined,
  action: 'failed',
  status: '5.1.1',
  remoteMta: 'mx.remote.example',
  diagnostic: '550 5.1.1 No such user\r\n here',
  lastAttemptAt: at,
  willRetryUntil: undefined,
};

const report: DeliveryReport = {
  hostname: 'mail.acme.example',
  postmaster: parseAddress('postmaster@mail.acme.example'),
  to: parseAddress('ann@acme.example'),
  id: '4kq2xw7b9d',
  at,
  originalId: '4kq2xw7b8c',
  originalMessageId: '1@acme.example',
  arrivedAt: at - 60_000,
  originalHead: Buffer.from('From: ann@acme.example\r\nSubject: Hello\r\n\r\nThe body\r\n'),
  recipients: [refused],
};

function part(text: string, number: number): string {
  const { structure } = parseMessage(Buffer.from(text, 'latin1'));
  const range = findSection(structure, { part: [number], text: undefined })!;
  return text.slice(range.start, range.end);
}

test('a failure is reported in words, in fields and with the header of the original', () => {
  assert.equal(
    buildDeliveryReport(report),
    [
      'From: Mail Delivery System <postmaster@mail.acme.example>',
      'To: <ann@acme.example>',
      'Subject: Your message could not be delivered',
      'Date: Tue, 24 Nov 2026 08:00:00 +0000',
      'Message-ID: <4kq2xw7b9d@mail.acme.example>',
      'In-Reply-To: <1@acme.example>',
      'References: <1@acme.example>',
      'Auto-Submitted: auto-replied',
      'MIME-Version: 1.0',
      'Content-Type: multipart/report; report-type=delivery-status;',
      '\tboundary="=_4kq2xw7b9d"',
      '',
      '--=_4kq2xw7b9d',
      'Content-Type: text/plain; charset=us-ascii',
      '',
      'This is the mail system at mail.acme.example.',
      '',
      'Your message could not be delivered to the recipients below, and it will not be',
      'tried again.',
      '',
      '  <bob@remote.example>',
      '    The host mx.remote.example said: 550 5.1.1 No such user here (5.1.1)',
      '',
      'The header of your message is attached.',
      '',
      '',
      '--=_4kq2xw7b9d',
      'Content-Type: message/delivery-status',
      '',
      'Reporting-MTA: dns; mail.acme.example',
      'X-Waypost-Queue-ID: 4kq2xw7b8c',
      'Arrival-Date: Tue, 24 Nov 2026 07:59:00 +0000',
      '',
      'Final-Recipient: rfc822; bob@remote.example',
      'Action: failed',
      'Status: 5.1.1',
      'Remote-MTA: dns; mx.remote.example',
      'Diagnostic-Code: smtp; 550 5.1.1 No such user here',
      'Last-Attempt-Date: Tue, 24 Nov 2026 08:00:00 +0000',
      '',
      '--=_4kq2xw7b9d',
      'Content-Type: text/rfc822-headers',
      '',
      'From: ann@acme.example',
      'Subject: Hello',
      '',
      '--=_4kq2xw7b9d--',
      '',
    ].join('\r\n'),
  );
});

test('a delay says until when it is tried, our own reason is not called a reply', () => {
  const text = buildDeliveryReport({
    ...report,
    originalHead: undefined,
    originalMessageId: undefined,
    recipients: [
      {
        ...refused,
        original: 'Bob@Remote.example',
        action: 'delayed',
        status: '4.4.1',
        remoteMta: undefined,
        diagnostic: 'The host does not answer',
        lastAttemptAt: undefined,
        willRetryUntil: at + 86_400_000,
      },
    ],
  });
  assert.match(text, /^Subject: Your message is delayed\r$/m);
  assert.match(
    text,
    /<bob@remote\.example> \(you wrote to Bob@Remote\.example\)\r\n {4}The host does not answer \(4\.4\.1\)\r\n/,
  );
  assert.match(part(text, 2), /Original-Recipient: rfc822; Bob@Remote\.example\r\nFinal-Recipient/);
  assert.match(part(text, 2), /Diagnostic-Code: x-waypost; The host does not answer\r\n/);
  assert.match(part(text, 2), /Will-Retry-Until: Wed, 25 Nov 2026 08:00:00 \+0000\r\n/);
  assert.doesNotMatch(text, /In-Reply-To|rfc822-headers/);
});

test('a header that is not 7-bit text is returned whole in quoted-printable', () => {
  const headers = [
    'Subject: J\xc3\xb6rg\r\n',
    `X-Long: ${'x'.repeat(2000)}\r\n`,
    'X-Nul: \0\r\n',
    'X-Cr: a\rb\r\n',
    'X-Lf: a\n',
    'X-Last: a',
  ];
  for (const header of headers) {
    const text = buildDeliveryReport({ ...report, originalHead: Buffer.from(header, 'latin1') });
    assert.match(text, /^[\x20-\x7e\t\r\n]*$/);
    const { structure } = parseMessage(Buffer.from(text, 'latin1'));
    const returned = structure.parts[2]!;
    const body = text.slice(returned.bodyStart, returned.bodyEnd);
    const isEncoded = returned.encoding === 'quoted-printable';
    const decoded = isEncoded ? decodeQuotedPrintable(Buffer.from(body)).toString('latin1') : body;
    assert.equal(isEncoded, header !== 'X-Last: a');
    assert.equal(decoded, header.endsWith('\n') ? header : `${header}\r\n`);
  }
});

test('a header beyond the bound is returned in part', () => {
  const text = buildDeliveryReport({
    ...report,
    originalHead: Buffer.from(`${'X-Field: value\r\n'.repeat(10_000)}\r\n`),
  });
  assert.ok(text.length < 70_000);
});

test('a header that holds the boundary does not end its part', () => {
  const head = Buffer.from('A: b\r\n --=_4kq2xw7b9d--\r\n --=_4kq2xw7b9d_\r\n\r\n');
  const { structure } = parseMessage(Buffer.from(buildDeliveryReport({ ...report, originalHead: head })));
  assert.equal(structure.parts.length, 3);
  assert.equal(structure.parameters[3], '=_4kq2xw7b9d__');
});

test('a thousand recipients each have their fields', () => {
  const text = buildDeliveryReport({ ...report, recipients: new Array(1000).fill(refused) });
  assert.equal(part(text, 2).split('\r\n\r\n').length, 1001);
});

test('property: whatever a remote host or a sender wrote, the report has its three parts in plain ASCII lines', () => {
  const hostile = fc
    .array(
      fc.constantFrom(
        '\r\n',
        '\n',
        '\r',
        '\0',
        'X: y',
        '--=_4kq2xw7b9d',
        ' ',
        '\xff',
        '\u{1f600}',
        'x'.repeat(300),
        '<',
        '>',
      ),
      {
        maxLength: 12,
      },
    )
    .map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(hostile, hostile, hostile, (diagnostic, remoteMta, header) => {
      const text = buildDeliveryReport({
        ...report,
        originalMessageId: header,
        originalHead: Buffer.from(`Subject: ${header}`, 'latin1'),
        recipients: [{ ...refused, diagnostic, remoteMta, original: remoteMta }],
      });
      assert.match(text, /^(?:[\x20-\x7e\t]{0,998}\r\n)*$/);
      const { structure } = parseMessage(Buffer.from(text, 'latin1'));
      assert.deepEqual(
        structure.parts.map((inner) => `${inner.type}/${inner.subtype}`),
        ['text/plain', 'message/delivery-status', 'text/rfc822-headers'],
      );
      const [, recipient] = part(text, 2).split('\r\n\r\n');
      assert.deepEqual(
        parseHeader(Buffer.from(recipient!)).fields.map((field) => field.name),
        [
          'original-recipient',
          'final-recipient',
          'action',
          'status',
          'remote-mta',
          'diagnostic-code',
          'last-attempt-date',
        ],
      );
    }),
    { numRuns: 300 },
  );
});
