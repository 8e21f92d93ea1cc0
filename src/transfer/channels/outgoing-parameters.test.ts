// What a host gets that lacks an extension: the table of outgoing-parameters.ts, line by line.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../../message/address.ts';
import type { DeliverBy, Envelope, MailParameters } from '../../message/envelope.ts';
import { type Capabilities, NO_CAPABILITIES } from '../../wire/smtp/client.ts';
import { type Fit, fitOf, type NextHost } from './outgoing-parameters.ts';

const NOW = Date.UTC(2026, 10, 24, 8);
const ANN = parseAddress('ann@acme.example');
const ZOE = parseAddress('zo\u00eb@remote.example');
const BOB = parseAddress('bob@remote.example');
const ALL: Capabilities = {
  ...NO_CAPABILITIES,
  eightBitMime: true,
  smtpUtf8: true,
  dsn: true,
  deliverBy: 0,
  futureRelease: true,
  priority: true,
  requireTls: true,
};

function fit(envelope: Partial<Envelope>, offered: Partial<Capabilities> = {}, tls: NextHost['tls'] = undefined): Fit {
  const whole: Envelope = { sender: ANN, recipients: [{ address: BOB }], body: '7BIT', ...envelope };
  return fitOf(whole, { offered: { ...ALL, ...offered }, tls, now: NOW, remote: 'mx.remote.example' });
}

function sendable(given: Fit): Exclude<Fit, { refused: unknown }> {
  assert.ok(!('refused' in given), JSON.stringify(given));
  return given;
}

function refusal(given: Fit): string {
  assert.ok('refused' in given, JSON.stringify(given));
  return `${given.refused.result} ${given.refused.status}`;
}

test('a host that offers all gets all but the time of release', () => {
  const envelope: MailParameters & { body: '8BITMIME' } = {
    ...({ body: '8BITMIME', envid: 'q1', ret: 'FULL', isUtf8: true, requireTls: true, priority: 3 } as const),
    by: { at: NOW + 60_000, mode: 'R' },
  };
  const recipients = [{ address: ZOE, notify: [], orcpt: { type: 'rfc822', address: 'z@acme.example' } }] as const;
  const {
    send,
    recipients: told,
    needs,
    others,
    relayed,
  } = sendable(fit({ ...envelope, recipients, holdUntil: NOW - 1 }, {}, { isVerified: true }));
  assert.deepEqual(send, envelope);
  assert.deepEqual([told, needs, others, relayed], [recipients, undefined, undefined, false]);
});

test('without 8BITMIME and SMTPUTF8 the bytes change', () => {
  assert.equal(sendable(fit({ body: '8BITMIME' }, { eightBitMime: false })).needs, 'seven-bit');
  assert.equal(sendable(fit({ isUtf8: true }, { smtpUtf8: false })).needs, 'ascii');
  const both = sendable(fit({ body: '8BITMIME', isUtf8: true }, { eightBitMime: false, smtpUtf8: false }));
  assert.deepEqual([both.needs, both.send], ['both', { body: '7BIT' }]);
});

test('an address beyond ASCII fails alone where it is a recipient, and all where it is the sender', () => {
  const recipients = [{ address: ZOE }, { address: BOB }];
  const part = sendable(fit({ isUtf8: true, recipients }, { smtpUtf8: false }));
  assert.deepEqual([part.recipients, part.others?.status], [[{ address: BOB }], '5.6.7']);
  assert.equal(refusal(fit({ isUtf8: true, sender: ZOE }, { smtpUtf8: false })), 'failed 5.6.7');
  assert.equal(refusal(fit({ isUtf8: true, recipients: [{ address: ZOE }] }, { smtpUtf8: false })), 'failed 5.6.7');
});

test('an address beyond ASCII in a message that came without SMTPUTF8: SMTPUTF8 is said, or it fails alone', () => {
  const recipients = [{ address: ZOE }, { address: BOB }];
  const wide = sendable(fit({ recipients }));
  assert.deepEqual([wide.send, wide.recipients, wide.others], [{ body: '7BIT', isUtf8: true }, recipients, undefined]);
  const narrow = sendable(fit({ recipients }, { smtpUtf8: false }));
  assert.deepEqual(
    [narrow.send, narrow.recipients, narrow.others?.status, narrow.needs],
    [{ body: '7BIT' }, [{ address: BOB }], '5.6.7', undefined],
  );
  assert.equal(refusal(fit({ recipients: [{ address: ZOE }] }, { smtpUtf8: false })), 'failed 5.6.7');
  assert.deepEqual(sendable(fit({ sender: ZOE })).send, { body: '7BIT', isUtf8: true });
  assert.equal(refusal(fit({ sender: ZOE }, { smtpUtf8: false })), 'failed 5.6.7');
});

test('without DSN nothing of it is said, and reports are ours', () => {
  const recipients = [
    { address: BOB, original: 'bob', notify: ['SUCCESS'], orcpt: { type: 'x', address: 'y' } },
  ] as const;
  const given = sendable(fit({ envid: 'q1', ret: 'HDRS', recipients }, { dsn: false }));
  assert.deepEqual(given, {
    send: { body: '7BIT' },
    recipients: [{ address: BOB, original: 'bob' }],
    relayed: true,
    traced: false,
  });
});

test('a time of delivery, a priority, TLS', () => {
  const returned = { at: NOW + 60_000, mode: 'R' } as const;
  const noted = { at: NOW - 60_000, mode: 'N' } as const;
  assert.equal(refusal(fit({ by: returned }, { deliverBy: undefined })), 'failed 5.4.7');
  assert.equal(refusal(fit({ by: returned }, { deliverBy: 61 })), 'failed 5.4.7');
  assert.equal(refusal(fit({ by: { ...returned, at: NOW } })), 'failed 5.4.7');
  assert.deepEqual(sendable(fit({ by: noted }, { deliverBy: undefined })).send, { body: '7BIT' });
  assert.deepEqual(sendable(fit({ by: noted })).send, { body: '7BIT', by: noted });
  const traced = (by: DeliverBy | undefined, offered: Partial<Capabilities> = {}): boolean =>
    sendable(fit(by === undefined ? {} : { by }, offered)).traced;
  assert.deepEqual([traced(noted), traced(noted, { deliverBy: undefined }), traced(undefined)], [false, true, false]);
  assert.deepEqual([traced({ ...noted, trace: true }), traced({ ...returned, trace: true })], [true, true]);
  assert.deepEqual(sendable(fit({ priority: 3 }, { priority: false })).send, { body: '7BIT' });
  assert.equal(refusal(fit({ requireTls: true }, { requireTls: false }, { isVerified: true })), 'failed 5.7.30');
  assert.equal(refusal(fit({ requireTls: true }, {}, { isVerified: false })), 'failed 5.7.30');
  assert.equal(refusal(fit({ requireTls: true })), 'failed 5.7.30');
});
