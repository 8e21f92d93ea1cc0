// What MAIL and RCPT say, there and back; and each value that is none.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedOctets } from '../../../test/support/nearly-right.ts';
import { SyntaxFailure } from '../../base/cursor.ts';
import { Failure } from '../../base/failure.ts';
import type { DsnOfRecipient, Envelope, MailParameters } from '../../message/envelope.ts';
import { type Capabilities, mailCommand, NO_CAPABILITIES, rcptCommand } from './client.ts';
import { parseCommand } from './commands.ts';
import { FUTURE_RELEASE_MS, type MailWords, parseMailParameters, parseRcptParameters } from './parameters.ts';
import { decodeXtext, encodeXtext } from './xtext.ts';

const NOW = Date.UTC(2026, 10, 24, 8);
const ALL: Capabilities = {
  ...NO_CAPABILITIES,
  eightBitMime: true,
  sizeBytes: 0,
  smtpUtf8: true,
  dsn: true,
  deliverBy: 0,
  futureRelease: true,
  priority: true,
  requireTls: true,
};

function mail(line: string, isAuthor = true): MailWords {
  const command = parseCommand(Buffer.from(`MAIL FROM:<ann@acme.example> ${line}`).toString('latin1'));
  assert.ok(command.verb === 'MAIL');
  return parseMailParameters(command.parameters, { now: NOW, isAuthor });
}

function rcpt(line: string): DsnOfRecipient {
  const command = parseCommand(Buffer.from(`RCPT TO:<bob@acme.example> ${line}`).toString('latin1'));
  assert.ok(command.verb === 'RCPT');
  return parseRcptParameters(command.parameters);
}

test('what each parameter means', () => {
  assert.deepEqual(mail(''), { body: '7BIT' });
  assert.deepEqual(mail('SIZE=12345678901234567890 body=8bitmime AUTH=<>'), {
    body: '8BITMIME',
    sizeBytes: Number.MAX_SAFE_INTEGER,
  });
  assert.deepEqual(mail('RET=hdrs ENVID=q+2B1 SMTPUTF8 REQUIRETLS MT-PRIORITY=-3'), {
    ...{ body: '7BIT', ret: 'HDRS', envid: 'q+1', isUtf8: true, requireTls: true, priority: -3 },
  });
  assert.deepEqual(mail('BY=120;R').by, { at: NOW + 120_000, mode: 'R' });
  assert.deepEqual(mail('BY=-60;nt').by, { at: NOW - 60_000, mode: 'N', trace: true });
  assert.equal(mail('HOLDFOR=60').holdUntil, NOW + 60_000);
  assert.equal(mail('HOLDUNTIL=2026-11-24T10:00:00+01:00').holdUntil, NOW + 3_600_000);
  assert.deepEqual(mail('HOLDUNTIL=2020-01-01T00:00:00Z MT-PRIORITY=0'), { body: '7BIT' }, 'what is past is now');
  assert.deepEqual(rcpt('notify=Success,failure,SUCCESS ORCPT=rfc822;Bob+20B@acme.example'), {
    notify: ['SUCCESS', 'FAILURE'],
    orcpt: { type: 'rfc822', address: 'Bob B@acme.example' },
  });
  assert.deepEqual(rcpt('NOTIFY=NEVER').notify, []);
  const zoe = { type: 'utf-8', address: 'zo\u00eb+x@acme.example' };
  assert.deepEqual(rcpt('ORCPT=utf-8;zo\\x{EB}\\x{2B}x@acme.example').orcpt, zoe);
  assert.deepEqual(rcpt('ORCPT=utf-8;zo\u00eb\\x{2B}x@acme.example').orcpt, zoe);
});

test('values that are none', () => {
  const wrong = [
    ...['NOTIFY=NEVER,SUCCESS', 'NOTIFY=', 'NOTIFY=SUCCESS,', 'NOTIFY=ALWAYS', 'NOTIFY=DELAY NOTIFY=DELAY'],
    ...[
      'ORCPT=rfc822',
      'ORCPT=rfc822;',
      'ORCPT=;a@b',
      'ORCPT=rfc822;a+2',
      'ORCPT=rfc822;a+0D+0Ab',
      'ORCPT=rfc822;a+GG',
    ],
    ...[`ORCPT=rfc822;${'x'.repeat(501)}`, 'ORCPT=utf-8;\\x{D800}', 'ORCPT=utf-8;\\x{110000}', 'ORCPT=utf-8;\\xEB'],
    ...['ORCPT=rfc822;zo\u00eb@acme.example', 'ORCPT=utf-8;a\\x{0A}', 'ORCPT=a.b;c'],
  ];
  for (const line of wrong) assert.throws(() => rcpt(line), SyntaxFailure, line);
  const wrongInMail = [
    ...[
      'ENVID=',
      `ENVID=${'x'.repeat(101)}`,
      'ENVID=a+0Ab',
      'ENVID=+',
      'RET=',
      'RET=ALL',
      'SMTPUTF8=1',
      'REQUIRETLS=YES',
    ],
    ...['BY=0;R', 'BY=-1;R', 'BY=1', 'BY=1;X', 'BY=;R', 'BY=1234567890;R', 'BY=1;RTX', 'BY=+-1;N'],
    ...['MT-PRIORITY=10', 'MT-PRIORITY=-10', 'MT-PRIORITY=', 'MT-PRIORITY=+1', 'MT-PRIORITY=1.0', 'MT-PRIORITY=-0'],
    ...[
      'HOLDFOR=0',
      'HOLDFOR=2592001',
      'HOLDFOR=1x',
      'HOLDFOR=',
      'HOLDUNTIL=2027-01-01T00:00:00Z',
      'HOLDUNTIL=tomorrow',
    ],
    ...['HOLDUNTIL=2026-11-31T00:00:00Z', 'HOLDUNTIL=2026-11-30', 'HOLDFOR=1 HOLDUNTIL=2026-11-25T00:00:00Z'],
    ...['SIZE=x', 'BODY=BINARYMIME', 'RET=FULL RET=FULL'],
  ];
  for (const line of wrongInMail) assert.throws(() => mail(line), SyntaxFailure, line);
  for (const line of ['X=1', 'NOTIFY=NEVER', '__PROTO__=1', 'CONSTRUCTOR'])
    assert.throws(() => mail(line), Failure, line);
  for (const line of ['BY=60;R', 'HOLDFOR=60', 'HOLDUNTIL=2026-11-25T00:00:00Z', 'MT-PRIORITY=1'])
    assert.throws(
      () => mail(line, false),
      (error) => error instanceof Failure && error.kind === 'unsupported',
      `${line} without a login`,
    );
  assert.equal(mail('HOLDFOR=2592000').holdUntil, NOW + FUTURE_RELEASE_MS);
});

test('octets that are no UTF-8 are said to be none', () => {
  assert.throws(() => parseCommand('MAIL FROM:<zo\xeb@acme.example> SMTPUTF8'), SyntaxFailure);
  assert.throws(() => parseCommand('RCPT TO:<\xed\xa0\x80@acme.example>'), SyntaxFailure, 'half of a surrogate pair');
  const command = parseCommand('RCPT TO:<Zoe\xcc\x88@b\xc3\xbccher.example>');
  assert.ok(command.verb === 'RCPT');
  assert.deepEqual(command.recipient, { localPart: 'Zo\u00eb', domain: 'xn--bcher-kva.example' });
  assert.equal(command.isEightBit, true);
});

const plain = { noNullPrototype: true } as const;
const visible = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 100,
});
const unicode = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((text) => !/\p{Cc}/u.test(text));
const second = fc.integer({ min: 1, max: 30 * 86_400 });
const parameters: fc.Arbitrary<MailParameters> = fc.record(
  {
    envid: visible,
    ret: fc.constantFrom('FULL', 'HDRS'),
    isUtf8: fc.constant(true),
    requireTls: fc.constant(true),
    priority: fc.constantFrom(-9, -1, 1, 9),
    by: fc.oneof(
      fc.record({ at: second.map((one) => NOW + one * 1000), mode: fc.constantFrom('R', 'N') }, plain),
      fc.record({ at: second.map((one) => NOW - one * 1000), mode: fc.constant('N'), trace: fc.constant(true) }, plain),
    ),
    holdUntil: second.map((one) => NOW + one * 1000),
  },
  { requiredKeys: [], noNullPrototype: true },
);
const asked: fc.Arbitrary<DsnOfRecipient> = fc.record(
  {
    notify: fc.subarray(['SUCCESS', 'FAILURE', 'DELAY'] as const),
    orcpt: fc.oneof(
      fc.record({ type: fc.constant('rfc822'), address: visible }, plain),
      fc.record({ type: fc.constant('utf-8'), address: unicode }, plain),
    ),
  },
  { requiredKeys: [], noNullPrototype: true },
);

test('property: what a client writes is what a server reads', () => {
  fc.assert(
    fc.property(parameters, asked, fc.constantFrom('7BIT', '8BITMIME'), (given, wishes, body) => {
      const sender = { localPart: given.isUtf8 === true ? 'zo\u00eb' : 'ann', domain: 'acme.example' };
      const envelope: Envelope = { sender, body, recipients: [], ...given };
      const line = mailCommand(envelope, 1, { offered: ALL, now: NOW });
      assert.match(line, given.isUtf8 === true ? /^[ -~\x80-\xff]*\r\n$/ : /^[ -~]*\r\n$/);
      const command = parseCommand(line.slice(0, -2));
      assert.ok(command.verb === 'MAIL');
      assert.deepEqual(command.sender, sender);
      assert.deepEqual(parseMailParameters(command.parameters, { now: NOW, isAuthor: true }), {
        ...given,
        body,
        sizeBytes: 1,
      });
      const told = rcptCommand({ address: sender, ...wishes }, ALL, true);
      const read = parseCommand(told.slice(0, -2));
      assert.ok(read.verb === 'RCPT');
      assert.deepEqual(parseRcptParameters(read.parameters), wishes);
    }),
    { numRuns: 500 },
  );
});

test('any line is a command, whose parameters are written and read again as the same, or a failure', () => {
  const seeds = [
    'MAIL FROM:<ann@acme.example> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=q+2B1 REQUIRETLS MT-PRIORITY=-3 BY=120;RT AUTH=<>',
    'MAIL FROM:<> HOLDFOR=60 SMTPUTF8',
    'MAIL FROM:<zo\u00eb@b\u00fccher.example> HOLDUNTIL=2026-11-24T10:00:00+01:00 SMTPUTF8 BODY=7BIT',
    'RCPT TO:<bob@acme.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+20B@acme.example',
    'RCPT TO:<@a.example,@b.example:"a\\"b c"@[IPv6:2001:db8::1]> NOTIFY=NEVER ORCPT=utf-8;zo\\x{EB}\\x{2B}x@acme.example',
    'RCPT TO:<Postmaster>',
    'EHLO [192.0.2.1]',
    'AUTH PLAIN AGFubgBi',
    'BDAT 1000 LAST',
    'XCLIENT ADDR=IPV6:2001:db8::1 PORT=25 NAME=[UNAVAILABLE] HELO=a+2Bb PROTO=ESMTP LOGIN=ann@acme.example',
    'STARTTLS ',
  ];
  fc.assert(
    fc.property(mutatedOctets(seeds), fc.boolean(), (octets, isAuthor) => {
      try {
        judge(octets.toString('latin1'), isAuthor);
      } catch (error) {
        const isPromised = error instanceof Failure && (error.kind === 'syntax' || error.kind === 'unsupported');
        assert.ok(isPromised && error.message.length < 200, String(error));
      }
    }),
    fuzzCases(3000),
  );
});

function judge(line: string, isAuthor: boolean): void {
  const command = parseCommand(line);
  if (command.verb === 'MAIL') {
    const { sizeBytes = 0, ...words } = parseMailParameters(command.parameters, { now: NOW, isAuthor });
    assert.ok(
      Number.isSafeInteger(sizeBytes) && (isAuthor || (words.by ?? words.holdUntil ?? words.priority) === undefined),
    );
    const written = { ...words, isUtf8: true as const, sender: command.sender };
    const again = parseCommand(mailCommand(written, sizeBytes, { offered: ALL, now: NOW }).slice(0, -2));
    assert.ok(again.verb === 'MAIL');
    assert.deepEqual(again.sender, command.sender);
    const read = parseMailParameters(again.parameters, { now: NOW, isAuthor: true });
    assert.deepEqual(read, { ...words, isUtf8: true, sizeBytes });
  } else if (command.verb === 'RCPT') {
    const asked = parseRcptParameters(command.parameters);
    // Without a domain it is the postmaster here, whom no host is told of.
    if (command.recipient.domain === '') return;
    const again = parseCommand(rcptCommand({ address: command.recipient, ...asked }, ALL, true).slice(0, -2));
    assert.ok(again.verb === 'RCPT');
    assert.deepEqual([again.recipient, parseRcptParameters(again.parameters)], [command.recipient, asked]);
  } else if (command.verb === 'BDAT') {
    const { octets = 0 } = command;
    assert.ok(Number.isSafeInteger(octets) && octets >= 0);
  } else if (command.verb === 'XCLIENT') {
    assert.ok(command.attributes.size <= 20);
    for (const value of command.attributes.values()) {
      const text = decodeXtext(value);
      if (text !== undefined) assert.equal(decodeXtext(encodeXtext(text)), text);
    }
  }
}
