// What SMTP says of a message arrives: from the door through the queue, over a restart, at the channel and in the report.
//
// Envelopes are compared as wholes, so that a key that is new to them is held to the same way.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { HashGate } from '../auth/hash-gate.ts';
import { loginDirectory } from '../auth/login-directory.ts';
import { Logins } from '../auth/logins.ts';
import { freely } from '../auth/testing.ts';
import { systemClock } from '../base/clock.ts';
import { defaultLimits } from '../base/limits.ts';
import { silentLog } from '../base/log.ts';
import { type Address, formatAddress, parseAddress } from '../message/address.ts';
import { type Envelope, type Recipient, wants } from '../message/envelope.ts';
import type { TlsState } from '../net/tls-state.ts';
import type { SmtpDoor } from '../protocols/smtp/door.ts';
import { SmtpSession } from '../protocols/smtp/session.ts';
import { addDomain, addUser, testSite } from '../provisioning/testing.ts';
import { type Capabilities, mailCommand, NO_CAPABILITIES } from '../wire/smtp/client.ts';
import { formatRcpt } from '../wire/smtp/parameters.ts';
import type { Channel, Delivery } from './channels/channel.ts';
import { SmtpChannel } from './channels/smtp.ts';
import { type Outcome, outcome } from './outcome.ts';
import { TestTransfer } from './testing.ts';

const SENDER = parseAddress('ann@acme.example');

/** A name at another host, and one of the ways in which a client may write it. */
const recipient: fc.Arbitrary<Required<Recipient>> = fc
  .tuple(
    fc.stringMatching(/^[a-z]{1,8}$/),
    fc.constantFrom('plain', 'quoted', 'upper', 'blank'),
    fc.subarray(['SUCCESS', 'FAILURE', 'DELAY'] as const),
  )
  .map(([name, spelling, notify]) => {
    const localPart = spelling === 'blank' ? `${name} x` : name;
    const address = { localPart: spelling === 'upper' ? name.toUpperCase() : localPart, domain: 'remote.example' };
    const original = {
      plain: formatAddress(address),
      blank: formatAddress(address),
      quoted: `"${name}"@remote.example`,
      upper: `${address.localPart}@REMOTE.example`,
    }[spelling];
    return { address, original: original!, notify, orcpt: { type: 'rfc822', address: `first ${name}@remote.example` } };
  });

/** When MAIL is said: a release that was near then is past now, and a time of delivery that was far is to come. */
const SAID_AT = Date.now() - 3_600_000;
const envelope: fc.Arbitrary<Required<Envelope>> = fc.record(
  {
    sender: fc.constantFrom(SENDER, undefined),
    recipients: fc.uniqueArray(recipient, {
      minLength: 1,
      maxLength: 4,
      selector: (one) => formatAddress(one.address),
    }),
    body: fc.constantFrom('7BIT', '8BITMIME'),
    isUtf8: fc.constant(true),
    ret: fc.constantFrom('FULL', 'HDRS'),
    // A blank at its end would be lost in the field that reports it.
    envid: fc.stringMatching(/^[!-~]([ -~]{0,98}[!-~])?$/),
    requireTls: fc.constant(true),
    by: fc.record(
      {
        at: fc.integer({ min: 7200, max: 999_999 }).map((seconds) => SAID_AT + seconds * 1000),
        mode: fc.constantFrom('R', 'N'),
        trace: fc.constant(true),
      },
      { noNullPrototype: true },
    ),
    holdUntil: fc.integer({ min: 1, max: 3000 }).map((seconds) => SAID_AT + seconds * 1000),
    priority: fc.constantFrom(-9, -1, 1, 9),
  },
  { noNullPrototype: true },
);

/** Stands for the way to other hosts; keeps what it is given. */
class KeepingChannel implements Channel {
  readonly name = SmtpChannel.kind.name;
  readonly isLocal = false;
  readonly recipientsMax = 100;
  readonly deliveries: Delivery[] = [];
  outcome: Outcome = outcome('deferred', '4.3.0', 'not now');

  async deliver(delivery: Delivery): Promise<{ outcomes: Outcome[] }> {
    this.deliveries.push(delivery);
    return { outcomes: delivery.targets.map(() => this.outcome) };
  }
}

/** Each account with the password `secret`. */
function loginsOf(transfer: TestTransfer): SmtpDoor['logins'] {
  const { reader, cache, shared } = transfer.directory;
  const directory = loginDirectory(reader, cache);
  const passwords = [`{SHA256}${createHash('sha256').update('secret').digest('base64')}`];
  return new Logins({
    directory: {
      ...directory,
      find(name) {
        const found = directory.find(name);
        return found && { ...found, passwords };
      },
    },
    revision: () => shared.routingRevision(),
    gate: new HashGate(),
    clock: systemClock,
    ...freely(),
  });
}

function doorOf(transfer: TestTransfer): SmtpDoor {
  return {
    ...transfer.doorParts,
    hostname: () => testSite.hostnames[0]!,
    tls: undefined,
    limits: defaultLimits,
    clock: { ...systemClock, now: () => SAID_AT },
    log: silentLog,
    logins: loginsOf(transfer),
    speaksForOthers: () => false,
    admit: () => () => {},
    arrive: undefined,
    maySendAbroad: () => true,
    hasRoom: () => true,
    hasCustodyRoom: () => true,
    mayRefuse: () => true,
    countReply() {},
  };
}

/** A server that offers all. */
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

const TLS: TlsState = {
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  isImplicit: false,
  serverName: undefined,
  clientAddress: undefined,
  canBind: false,
  channelBinding: () => undefined,
};

/** A whole conversation in one packet. */
async function say(transfer: TestTransfer, envelope: Required<Envelope>): Promise<void> {
  const { recipients, body } = envelope;
  const [ours, theirs] = duplexPair();
  const record = {
    id: 1,
    listener: 'submission',
    localAddress: '127.0.0.1',
    localPort: 587,
    peerAddress: '127.0.0.1',
    peerPort: 1,
    tls: TLS,
    isPrivate: true,
  };
  const session = new SmtpSession(doorOf(transfer), ours, record).converse();
  let received = '';
  theirs.setEncoding('latin1').on('data', (text: string) => {
    received += text;
  });
  const lines = [
    'EHLO client.example',
    `AUTH PLAIN ${Buffer.from(`\0${formatAddress(SENDER)}\0secret`).toString('base64')}`,
    mailCommand(envelope, 100, { offered: ALL, now: SAID_AT }).trimEnd(),
    // The client's own spelling of the path.
    ...recipients.map((one) => `RCPT TO:<${one.original}>${formatRcpt(one, ALL)}`),
    'DATA',
    `Subject: x\r\n\r\n${body === '8BITMIME' ? 'na\xefve' : 'naive'}\r\n.`,
    'QUIT',
  ];
  theirs.end(`${lines.join('\r\n')}\r\n`, 'latin1');
  await Promise.all([session, once(theirs, 'end')]);
  assert.match(received, /^250 2\.0\.0 queued as /m, received);
}

/** Of all deliveries, one envelope; recipients in the order that they were given in. */
function gathered(deliveries: readonly Delivery[], given: Envelope): Envelope {
  for (const {
    envelope: { recipients },
    targets,
  } of deliveries)
    assert.deepEqual(
      recipients.map(({ address }) => address),
      targets.map((target) => target.recipient),
    );
  const all = deliveries.flatMap(({ envelope: one }) => one.recipients);
  const nameOf = ({ address }: Recipient): string => formatAddress(address as Address);
  const order = given.recipients.map(nameOf);
  return {
    ...deliveries[0]!.envelope,
    recipients: [...all].sort((a, b) => order.indexOf(nameOf(a)) - order.indexOf(nameOf(b))),
  };
}

async function play(given: Required<Envelope>): Promise<void> {
  const transfer = await TestTransfer.open({ policy: { retryMs: [1], expireMs: 600_000 } });
  const before = new KeepingChannel();
  const after = new KeepingChannel();
  after.outcome = outcome('failed', '5.1.1', 'nobody');
  try {
    await transfer.directory.apply(addDomain('acme.example'), addUser(formatAddress(SENDER)));
    await transfer.start({ channels: [before] });
    await say(transfer, given);
    await transfer.until('an attempt', () => before.deliveries.length > 0);
    await transfer.start({ channels: [after] });
    await transfer.drained();
    assert.deepEqual(gathered(before.deliveries.slice(0, 1), given), given);
    assert.deepEqual(gathered(after.deliveries, given), given);
    await checkReport(transfer, given);
  } finally {
    await transfer.close();
  }
}

/** What a report of the failure says of an envelope: to who wants to know it, and of nobody else. */
async function checkReport(transfer: TestTransfer, { sender, recipients, envid }: Envelope): Promise<void> {
  const reports = await transfer.inbox(sender === undefined ? 'postmaster' : formatAddress(sender));
  const text = reports.join('');
  for (const recipient of recipients) {
    const final = formatAddress(recipient.address);
    const isTold = wants(recipient, 'FAILURE');
    assert.equal(text.includes(`Final-Recipient: rfc822; ${final}\r\n`), isTold, final);
    assert.equal(text.includes(`Original-Recipient: rfc822; ${recipient.orcpt!.address}\r\n`), isTold, final);
  }
  const isAnyTold = recipients.some((recipient) => wants(recipient, 'FAILURE'));
  assert.equal(text.includes(`Original-Envelope-Id: ${envid}\r\n`), isAnyTold);
}

test('an envelope survives door, queue, restart, channel and report', async () => {
  await fc.assert(fc.asyncProperty(envelope, play), { numRuns: 12, endOnFailure: true });
});
