// The text form: what is written is read back as the same, whatever it is; what is no text form names its line.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedOctets } from '../../test/support/nearly-right.ts';
import { Failure } from '../base/failure.ts';
import { type Address, formatAddress } from '../message/address.ts';
import type { Envelope, MailParameters, Recipient } from '../message/envelope.ts';
import { CrlfSearch, crlfOf, parseTextHead, TEXT_HEAD_BYTES, type TextForm, writeTextHead } from './text-form.ts';

const plain = { noNullPrototype: true } as const;
const printable = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((c) => String.fromCharCode(c)) });
const address: fc.Arbitrary<Address> = fc.record(
  {
    localPart: printable.filter(({ length }) => length > 0 && length <= 64),
    domain: fc.oneof(fc.domain(), fc.constantFrom('[127.0.0.1]', '[IPv6:::1]')),
  },
  plain,
);
const words = fc.subarray(['SUCCESS', 'FAILURE', 'DELAY'] as const);
const orcpt = fc.record(
  { type: fc.constantFrom('rfc822', 'x-other'), address: printable.filter(({ length }) => length > 0) },
  plain,
);
const recipient: fc.Arbitrary<Recipient> = fc
  .record({ address, notify: words, orcpt }, { ...plain, requiredKeys: ['address'] })
  .map((value) => ({ ...value, original: formatAddress(value.address) }));
/** When it came, and moments behind it. */
const ARRIVED = Date.UTC(2026, 11, 1, 8);
const later = fc.integer({ min: 1, max: 30 * 86_400 }).map((seconds) => ARRIVED + seconds * 1000);
const YES = fc.constant(true as const);
const parameters: fc.Arbitrary<MailParameters> = fc.record(
  {
    isUtf8: YES,
    ret: fc.constantFrom('FULL' as const, 'HDRS' as const),
    envid: printable.filter(({ length }) => length > 0 && length <= 100),
    requireTls: YES,
    by: fc.record(
      { at: later, mode: fc.constantFrom('R' as const, 'N' as const), trace: YES },
      { ...plain, requiredKeys: ['at', 'mode'] },
    ),
    holdUntil: later,
    priority: fc.integer({ min: -9, max: 9 }).filter((priority) => priority !== 0),
  },
  { ...plain, requiredKeys: [] },
);
const beyondAscii = fc
  .constantFrom('bjørn', 'мир', '"ö ü"')
  .map((localPart) => ({ localPart, domain: 'acme.example' }));
const envelope: fc.Arbitrary<Envelope> = fc
  .tuple(
    fc.record(
      {
        sender: fc.option(address, { nil: undefined }),
        recipients: fc.array(recipient, { minLength: 1, maxLength: 5 }),
        body: fc.constantFrom('7BIT' as const, '8BITMIME' as const),
      },
      plain,
    ),
    parameters,
    beyondAscii,
  )
  .map(([own, more, other]) => ({ ...own, ...more, ...(more.isUtf8 === true ? { sender: other } : {}) }));
const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).map((text) =>
  // One line, nothing to trim: what a name of a login or a channel is.
  [...text].map((c) => (/[\p{C}\p{Z}]/u.test(c) ? 'x' : c)).join(''),
);
const form: fc.Arbitrary<TextForm> = fc.record(
  {
    envelope,
    id: word,
    arrivedAt: fc.constant(ARRIVED),
    login: word,
    channel: word,
  },
  { ...plain, requiredKeys: ['envelope'] },
);

test('parse(write(x)) is x, and the message begins behind it', () => {
  fc.assert(
    fc.property(form, fc.uint8Array(), (given, body) => {
      // Without X-Arrived, times count from now.
      const head = writeTextHead(given, ARRIVED);
      const parsed = parseTextHead(Buffer.concat([head, body]), ARRIVED);
      assert.deepEqual(parsed.form, given);
      assert.equal(parsed.bodyAt, head.length);
    }),
  );
});

test('lines may end in LF alone, X- lines may stand anywhere, names have no case', () => {
  const text =
    'x-login: ann\nmail from:<ann@acme.example>\nX-ID: 1\nrcpt to:<Bob@Remote.example>\n\x01\x01\nSubject: x\n';
  const { form: read, bodyAt } = parseTextHead(Buffer.from(text), ARRIVED);
  assert.deepEqual(read.envelope.recipients, [
    { address: { localPart: 'Bob', domain: 'remote.example' }, original: 'Bob@Remote.example' },
  ]);
  assert.deepEqual([read.login, read.id, read.channel], ['ann', '1', undefined]);
  assert.equal(text.slice(bodyAt), 'Subject: x\n');
});

test('what a directory holds begins no line of its own', () => {
  const sender = { localPart: 'ann', domain: 'acme.example' };
  const head = writeTextHead(
    {
      envelope: { sender, recipients: [{ address: sender }], body: '7BIT' },
      login: 'ann\r\nRCPT TO:<eve@remote.example>',
    },
    ARRIVED,
  );
  assert.equal(parseTextHead(head, ARRIVED).form.envelope.recipients.length, 1);
});

test('what is no text form is refused, and the line named', () => {
  const mail = 'MAIL FROM:<ann@acme.example>\n';
  const rcpt = 'RCPT TO:<bob@remote.example>\n';
  const end = '\x01\x01\n';
  const bad: readonly (readonly [text: string, words: RegExp])[] = [
    ['', /^line 1: the line of two CTRL-A .* is missing/],
    [mail + rcpt, /^line 3: the line of two CTRL-A .* is missing/],
    [`${mail}${rcpt}Subject: x\n\nhello\n`, /^line 3: MAIL FROM:<..>, RCPT TO:<..>, X-Id:.* are known/],
    [`${mail}${rcpt}X-Other: x\n${end}`, /^line 3: /],
    [`${mail}${rcpt}DATA\n${end}`, /^line 3: /],
    [`${mail}${rcpt}\n${end}`, /^line 3: /],
    [`${rcpt}${mail}${end}`, /^line 1: MAIL comes before RCPT/],
    [`${mail}${mail}${rcpt}${end}`, /^line 2: MAIL stands there twice/],
    [mail + end, /^line 2: there is no recipient/],
    [end, /^line 1: MAIL FROM is missing/],
    [`MAIL FROM:<ann\n${rcpt}${end}`, /^line 1: expected /],
    [`${mail}RCPT TO:bob\n${end}`, /^line 2: expected /],
    [`MAIL FROM:<ann@acme.example> BY=0;R\n${rcpt}${end}`, /^line 1: expected BY=/],
    [`MAIL FROM:<ann@acme.example> ENVID\n${rcpt}${end}`, /^line 1: expected ENVID/],
    [`${mail}RCPT TO:<bob@remote.example> NOTIFY=NEVER,SUCCESS\n${end}`, /^line 2: expected /],
    [`${mail}RCPT TO:<bob@remote.example> SIZE=1\n${end}`, /^line 2: RCPT parameter size is not known/],
    [`${mail}RCPT TO:<bj\u00f8rn@remote.example>\n${end}`, /^line 2: an address beyond ASCII/],
    [`${mail}${rcpt}X-Id: 1\nX-Id: 2\n${end}`, /^line 4: X-Id stands there twice/],
    [`${mail}${rcpt}X-Id: 2\r9\n${end}`, /^line 3: the line has a control character/],
    [`${mail}${rcpt}X-Arrived: yesterday\n${end}`, /^line 3: X-Arrived is a time/],
    [`${mail}${rcpt}X-Arrived: 2026-13-01T08:00:00Z\n${end}`, /^line 3: X-Arrived is a time/],
    [`${mail}${'x'.repeat(5000)}\n${end}`, /^line 2: the line is too long/],
    [`${mail}${rcpt.repeat(TEXT_HEAD_BYTES / rcpt.length + 1)}${end}`, /the line of two CTRL-A .* is missing/],
  ];
  for (const [text, words] of bad)
    assert.throws(
      () => parseTextHead(Buffer.from(text), ARRIVED),
      (error) => error instanceof Failure && error.kind === 'invalid' && words.test(error.message),
      JSON.stringify(text.slice(0, 80)),
    );
});

test('a message without any CRLF gets one for each LF; chunks of any size make no difference', () => {
  const chunked = fc.array(fc.constantFrom('a', '\r', '\n', '\r\n', '.').map((s) => Buffer.from(s)));
  fc.assert(
    fc.property(chunked, (chunks) => {
      const text = Buffer.concat(chunks).toString();
      const search = new CrlfSearch();
      for (const chunk of chunks) search.push(chunk);
      assert.equal(search.found, text.includes('\r\n'));
      if (!search.found) assert.equal(Buffer.concat(chunks.map(crlfOf)).toString(), text.split('\n').join('\r\n'));
    }),
  );
});

test('any octets are a text form that is read back as the same, or the line is named', () => {
  const head = (lines: readonly string[], end = '\r\n'): string => [...lines, '\x01\x01', 'Subject: x', ''].join(end);
  const seeds = [
    head(['MAIL FROM:<ann@acme.example> BODY=8BITMIME', 'RCPT TO:<bob@remote.example>', 'X-Id: 2M9QFJ1XK']),
    head(['X-Login: ann', 'X-Arrived: 2026-12-01T08:00:00.000Z', 'MAIL FROM:<>', 'RCPT TO:<"a b"@[192.0.2.1]>'], '\n'),
    head([
      'MAIL FROM:<a@b.example> RET=HDRS ENVID=q+2B1 BY=120;RT MT-PRIORITY=-3 REQUIRETLS',
      'RCPT TO:<c@d.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+20B@acme.example',
      'RCPT TO:<e@f.example> NOTIFY=NEVER',
      'X-Channel: smtp',
    ]),
    head(['MAIL FROM:<zo\u00eb@acme.example> SMTPUTF8 HOLDUNTIL=2026-12-02T08:00:00Z', 'RCPT TO:<b@c.example>']),
  ];
  fc.assert(
    fc.property(mutatedOctets(seeds), (octets) => {
      let parsed: ReturnType<typeof parseTextHead>;
      try {
        parsed = parseTextHead(octets, ARRIVED);
      } catch (error) {
        assert.ok(
          error instanceof Failure && error.kind === 'invalid' && /^line \d+: ./.test(error.message),
          `${error}`,
        );
        return;
      }
      const { form: given, bodyAt } = parsed;
      assert.ok(bodyAt <= octets.length && octets.subarray(0, bodyAt).includes('\x01\x01'));
      const written = writeTextHead(given, ARRIVED);
      const again = parseTextHead(written, ARRIVED).form;
      // An address is written in one way, whatever way it came in.
      const plainly = ({ envelope, ...others }: TextForm) => ({
        ...others,
        sender: envelope.sender,
        by: envelope.by,
        recipients: envelope.recipients.map(({ original: _, ...recipient }) => recipient),
      });
      assert.deepEqual(plainly(again), plainly(given));
    }),
    fuzzCases(1500),
  );
});
