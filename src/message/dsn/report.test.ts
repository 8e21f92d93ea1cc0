import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAddress } from '../address.ts';
import { parseHeader } from '../header.ts';
import { decodeQuotedPrintable } from '../quoted-printable.ts';
import { findSection } from '../section.ts';
import { parseMessage } from '../structure.ts';
import { buildDeliveryReport, type DeliveryReport } from './report.ts';
import type { ReportedRecipient } from './status.ts';

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
  envelopeId: undefined,
  receivedFrom: undefined,
  arrivedAt: at - 60_000,
  original: { kind: 'header', bytes: Buffer.from('From: ann@acme.example\r\nSubject: Hello\r\n\r\nThe body\r\n') },
  mayUseUtf8: false,
  recipients: [refused],
};

function built(of: DeliveryReport): string {
  return buildDeliveryReport(of).bytes.toString('latin1');
}

function part(text: string, number: number): string {
  const { structure } = parseMessage(Buffer.from(text, 'latin1'));
  const range = findSection(structure, { part: [number], text: undefined })!;
  return text.slice(range.start, range.end);
}

test('a failure is reported in words, in fields and with the header of the original', () => {
  assert.equal(
    built(report),
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
  const text = built({
    ...report,
    original: undefined,
    originalMessageId: undefined,
    recipients: [
      {
        ...refused,
        original: { type: 'rfc822', address: 'Bob@Remote.example' },
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
    const text = built({ ...report, original: { kind: 'header', bytes: Buffer.from(header, 'latin1') } });
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
  const text = built({
    ...report,
    original: { kind: 'header', bytes: Buffer.from(`${'X-Field: value\r\n'.repeat(10_000)}\r\n`) },
  });
  assert.ok(text.length < 70_000);
});

test('a header that holds the boundary does not end its part', () => {
  const head = Buffer.from('A: b\r\n --=_4kq2xw7b9d--\r\n --=_4kq2xw7b9d_\r\n\r\n');
  const { structure } = parseMessage(Buffer.from(built({ ...report, original: { kind: 'header', bytes: head } })));
  assert.equal(structure.parts.length, 3);
  assert.equal(structure.parameters[3], '=_4kq2xw7b9d__');
});

test('a thousand recipients each have their fields', () => {
  const text = built({ ...report, recipients: new Array(1000).fill(refused) });
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
      const text = built({
        ...report,
        originalMessageId: header,
        original: { kind: 'header', bytes: Buffer.from(`Subject: ${header}`, 'latin1') },
        envelopeId: header,
        receivedFrom: remoteMta,
        recipients: [{ ...refused, diagnostic, remoteMta, original: { type: header, address: remoteMta } }],
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

test('each action has its words, and only a problem has a diagnostic', () => {
  const success = { ...refused, status: '2.0.0', diagnostic: '250 ok' };
  const text = built({
    ...report,
    envelopeId: 'q1',
    receivedFrom: 'client.example ([192.0.2.1])',
    recipients: [
      { ...success, action: 'delivered', remoteMta: undefined },
      { ...success, action: 'relayed' },
      { ...success, action: 'expanded', remoteMta: undefined },
    ],
  });
  assert.match(text, /^Subject: Your message has been sent on\r$/m);
  const [message, ...recipients] = part(text, 2).split('\r\n\r\n');
  assert.equal(
    message,
    [
      'Original-Envelope-Id: q1',
      'Reporting-MTA: dns; mail.acme.example',
      'Received-From-MTA: dns; client.example ([192.0.2.1])',
      'X-Waypost-Queue-ID: 4kq2xw7b8c',
      'Arrival-Date: Tue, 24 Nov 2026 07:59:00 +0000',
    ].join('\r\n'),
  );
  assert.deepEqual(
    recipients.map((fields) => /Action: (\w+)/.exec(fields)?.[1]),
    ['delivered', 'relayed', 'expanded'],
  );
  assert.doesNotMatch(recipients.join(''), /Diagnostic-Code/);
  assert.match(recipients[1]!, /Remote-MTA: dns; mx\.remote\.example/);
});

test('a whole message comes back as it was, and says that it has 8-bit text', () => {
  const bytes = Buffer.from('Subject: Hello\r\n\r\n--=_4kq2xw7b9d\r\nJ\xc3\xb6rg\r\n', 'latin1');
  const { bytes: text, body } = buildDeliveryReport({ ...report, original: { kind: 'message', bytes } });
  assert.equal(body, '8BITMIME');
  assert.match(text.toString('latin1'), /Content-Type: message\/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n/);
  assert.ok(text.includes(bytes));
  assert.equal(parseMessage(text).structure.parts.length, 3);
  for (const unclean of ['a\nb', 'a\rb', '\0', 'x'.repeat(999)]) {
    const original = { kind: 'message', bytes: Buffer.from(`Subject: x\r\n\r\n${unclean}`) } as const;
    assert.match(built({ ...report, original }), /text\/rfc822-headers\r\n\r\nSubject: x\r\n/);
  }
});

test('an address beyond ASCII is escaped, and stands as it is for a sender who uses SMTPUTF8', () => {
  const recipients = [
    {
      ...refused,
      address: { localPart: 'j\u00f6rg', domain: 'b.example' },
      original: { type: 'utf-8', address: '\u65e5@b' },
    },
  ];
  const plain = buildDeliveryReport({ ...report, recipients });
  assert.deepEqual([plain.body, plain.isUtf8], ['7BIT', false]);
  assert.match(
    plain.bytes.toString(),
    /Original-Recipient: utf-8; \\x\{65E5\}@b\r\nFinal-Recipient: utf-8; "?j\\x\{F6\}rg"?@b\.example/,
  );
  const { bytes, body, isUtf8 } = buildDeliveryReport({ ...report, recipients, mayUseUtf8: true });
  assert.deepEqual([body, isUtf8], ['8BITMIME', true]);
  const text = bytes.toString();
  assert.match(text, /message\/global-delivery-status/);
  assert.match(text, /message\/global-headers/);
  assert.match(text, /Original-Recipient: utf-8; \u65e5@b\r\nFinal-Recipient: utf-8; "?j\u00f6rg"?@b\.example\r\n/);
  const ascii = buildDeliveryReport({ ...report, mayUseUtf8: true });
  assert.deepEqual([ascii.body, ascii.isUtf8], ['7BIT', false]);
});
