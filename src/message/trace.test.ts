import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseHeader } from './header.ts';
import { dateField, messageIdField, type ReceivedTrace, receivedField, returnPathField } from './trace.ts';

const trace: ReceivedTrace = {
  helloName: 'client.example',
  peerAddress: '192.0.2.1',
  hostname: 'mail.acme.example',
  protocol: 'ESMTP',
  id: '4kq2xw7b9d',
  recipient: 'ann@acme.example',
  at: Date.UTC(2026, 10, 24, 8),
};

test('a Received field names the peer, the protocol, the id and the only recipient', () => {
  assert.equal(
    receivedField(trace),
    'Received: from client.example ([192.0.2.1])\r\n' +
      '\tby mail.acme.example (Waypost) with ESMTP id 4kq2xw7b9d\r\n' +
      '\tfor <ann@acme.example>; Tue, 24 Nov 2026 08:00:00 +0000\r\n',
  );
  assert.equal(
    receivedField({
      ...trace,
      recipient: undefined,
      protocol: 'SMTP',
      peerAddress: '::ffff:127.0.0.1',
      helloName: '[127.0.0.1]',
    }),
    'Received: from [127.0.0.1] ([127.0.0.1])\r\n' +
      '\tby mail.acme.example (Waypost) with SMTP id 4kq2xw7b9d; Tue, 24 Nov 2026 08:00:00 +0000\r\n',
  );
  assert.match(
    receivedField({ ...trace, peerAddress: '2001:db8::1', helloName: '' }),
    /^Received: from unknown \(\[IPv6:2001:db8::1\]\)\r\n/,
  );
  assert.match(
    receivedField({ ...trace, peerName: 'mx1.client.example' }),
    /^Received: from client\.example \(mx1\.client\.example \[192\.0\.2\.1\]\)\r\n/,
  );
  assert.match(
    receivedField({ ...trace, protocol: 'ESMTPSA', tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' } }),
    /\r\n\tby mail\.acme\.example \(Waypost\) with ESMTPSA \(TLSv1\.3 TLS_AES_256_GCM_SHA384\) id 4kq2xw7b9d\r\n/,
  );
});

test('Return-Path, and what a submitted message lacks', () => {
  assert.equal(returnPathField(''), 'Return-Path: <>\r\n');
  assert.equal(returnPathField('"a b"@acme.example'), 'Return-Path: <"a b"@acme.example>\r\n');
  assert.equal(dateField(trace.at), 'Date: Tue, 24 Nov 2026 08:00:00 +0000\r\n');
  assert.equal(messageIdField('4kq2xw7b9d', 'mail.acme.example'), 'Message-ID: <4kq2xw7b9d@mail.acme.example>\r\n');
});

test('property: no value makes a second field or a line too long', () => {
  const hostile = fc.oneof(
    fc
      .array(fc.constantFrom('\r\n', '\r', '\n', '\0', 'X: y', ' ', '(', ')', ';', '\xff', '\u2028', 'é'), {
        maxLength: 30,
      })
      .map((x) => x.join('')),
    fc.string({ unit: 'binary-ascii' }),
    fc.constant('x'.repeat(3000)),
  );
  fc.assert(
    fc.property(hostile, (value) => {
      const text =
        receivedField({
          ...trace,
          helloName: value,
          peerAddress: value,
          hostname: value,
          id: value,
        }) +
        receivedField({ ...trace, recipient: value.slice(0, 400) }) +
        receivedField({ ...trace, helloName: value, peerName: value }) +
        receivedField({ ...trace, tls: { protocol: value, cipher: value } }) +
        returnPathField(value.slice(0, 400)) +
        messageIdField(value, value);
      assert.match(text, /^[\x20-\x7e\r\n\t]*$/);
      const header = parseHeader(Buffer.from(`${text}\r\n`));
      assert.deepEqual(
        header.fields.map((field) => field.name),
        ['received', 'received', 'received', 'received', 'return-path', 'message-id'],
      );
      for (const line of text.split('\r\n')) assert.ok(line.length <= 998 && !line.includes('\n'));
    }),
  );
});
