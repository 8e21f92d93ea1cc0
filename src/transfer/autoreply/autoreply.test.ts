// What is answered in a user's absence, and with which words.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { idOf, type Revision } from '../../base/ids.ts';
import { normalizeDn } from '../../directory/dn.ts';
import type { Attribute, Entry } from '../../directory/entry.ts';
import { parseAddress } from '../../message/address.ts';
import { decodeWords } from '../../message/decode.ts';
import { findValue, parseHeader } from '../../message/header.ts';
import { decodeQuotedPrintable } from '../../message/quoted-printable.ts';
import { parseMessage } from '../../message/structure.ts';
import { writeText } from '../template.ts';
import { composeAnswer, ECHO_MAX } from './compose.ts';
import { whyNoReply } from './decide.ts';
import { type AutoreplyProfile, autoreplyProfile } from './profile.ts';
import { chooseText, languagesOf } from './text.ts';

function profile(values: Readonly<Record<string, string | readonly string[]>> = {}): AutoreplyProfile {
  const attributes = new Map<string, Attribute>();
  const all = {
    cn: 'Ann Smith',
    mail: 'Ann@acme.example',
    mailAlternateAddress: ['a.smith@acme.example'],
    mailAutoReplyText: 'I am away',
    ...values,
  };
  for (const [name, list] of Object.entries(all)) attributes.set(name.toLowerCase(), { name, values: [list].flat() });
  const dn = 'uid=ann,ou=People,dc=acme,dc=example,o=internet';
  const entry: Entry = {
    id: 5,
    dn,
    normalizedDn: normalizeDn(dn),
    attributes,
    createdAt: 0,
    modifiedAt: 0,
    revision: idOf<Revision>(5),
    uuid: 'u',
    parent: 1,
  };
  return autoreplyProfile(entry, parseAddress('ann@acme.example'))!;
}

const NOW = Date.parse('2026-12-24T10:00:00Z');
const TO_ANN = ['From: Carol <carol@remote.example>', 'To: ann@acme.example', 'Subject: Hi'];
const header = (...fields: readonly string[]) => parseHeader(Buffer.from(`${fields.join('\r\n')}\r\n\r\nbody\r\n`));

function why(of: {
  sender?: string;
  fields?: readonly string[];
  to?: string;
  entry?: Parameters<typeof profile>[0];
}): string | undefined {
  const { sender = 'carol@remote.example', fields = [], to = 'To: ann@acme.example', entry } = of;
  return whyNoReply(profile(entry), {
    sender: sender === '' ? undefined : parseAddress(sender),
    header: header(to, ...fields),
    now: NOW,
    peopleOf: (domain) => (domain === 'alias.example' ? 'acme.example' : domain),
  });
}

test('a person who writes to the user is answered', () => {
  assert.equal(why({}), undefined);
  for (const to of [
    'To: A.SMITH@acme.example',
    'Cc: x@y.example, Ann <ann+news@acme.example>',
    'Resent-Cc: ann@acme.example',
    'Bcc: ann@acme.example',
    'Resent-Bcc: ann@acme.example',
    'To: Ann@alias.example',
  ])
    assert.equal(why({ to }), undefined, to);
  for (const fields of [
    'Auto-Submitted: no',
    'Auto-Submitted: NO (sure)',
    'Precedence: special',
    'X-Auto-Response-Suppress: DR',
  ])
    assert.equal(why({ fields: [fields] }), undefined, fields);
  for (const sender of [
    'listserver@remote.example',
    'owner@remote.example',
    'request@remote.example',
    'no-replying@remote.example',
    'prvs=0123abcdef=carol@remote.example',
  ])
    assert.equal(why({ sender }), undefined, sender);
});

test('programs, lists and the user are not', () => {
  const senders = [
    '',
    'ann@acme.example',
    'ANN+x@acme.example',
    'a.smith@acme.example',
    'MAILER-DAEMON@remote.example',
    'listserv@r.example',
    'majordomo@r.example',
    'Postmaster@r.example',
    'noreply@r.example',
    'No-Reply@r.example',
    'noreply+4711@r.example',
    'do-not-reply@r.example',
    'bounces+ann=acme.example@r.example',
    'team-bounces@r.example',
    'owner-news@r.example',
    'news-owner@r.example',
    'news-request@r.example',
    'SRS0=AAAAAAAA=BB=x.example=carol@r.example',
    'SRS1=AAAAAAAA=q.example==AAAAAAAA=BB=x.example=carol@r.example',
  ];
  for (const sender of senders) assert.notEqual(why({ sender }), undefined, sender);
  const programs = [
    'Auto-Submitted: auto-replied',
    'Auto-Submitted: auto-generated; owner-email="x"',
    'auto-submitted: something',
    'List-Id: <news.r.example>',
    'list-unsubscribe: <mailto:x@r.example>',
    'Precedence: bulk',
    'Precedence: List',
    'Precedence:  junk (x)',
    'X-Auto-Response-Suppress: All',
    'X-Auto-Response-Suppress: DR, oof',
    'X-Auto-Response-Suppress: AutoReply',
  ];
  for (const field of programs) assert.notEqual(why({ fields: [field] }), undefined, field);
});

test('what is not written to the user is not answered', () => {
  for (const to of [
    'To: undisclosed-recipients:;',
    'To: bob@acme.example',
    'X-To: ann@acme.example',
    'To: ann@other.example',
  ])
    assert.equal(why({ to }), 'no address of this user is in To, Cc or Bcc', to);
});

test('the absence has a beginning and an end, either may be open', () => {
  const during = { vacationStartDate: '20261220000000Z', vacationEndDate: '20270103235959Z' };
  assert.equal(why({ entry: during }), undefined);
  assert.equal(why({ entry: { vacationStartDate: '20261225000000Z' } }), 'the absence has not begun');
  assert.equal(why({ entry: { vacationEndDate: '20261224095959Z' } }), 'the absence is over');
  assert.equal(why({ entry: { vacationEndDate: '20261224100000Z' } }), undefined);
});

test('nobody is answered twice in a week, or in the hours that the entry says, one at least', () => {
  const hours = (text?: string) =>
    profile(text === undefined ? {} : { mailAutoReplyTimeOut: text }).timeOutMs / 3_600_000;
  assert.deepEqual([hours(), hours('24'), hours('0'), hours('-5')], [168, 24, 1, 1]);
});

test('a text that has changed is another one, whatever its language', () => {
  const hash = (values: Parameters<typeof profile>[0]) => Buffer.from(profile(values).hash).toString('hex');
  const texts = [
    {},
    { mailAutoReplyText: 'Back' },
    { 'mailAutoReplyText;lang-de': 'Weg' },
    { mailAutoReplyTextInternal: 'Ask Bob' },
  ];
  assert.equal(new Set(texts.map(hash)).size, texts.length);
  assert.equal(hash({}), hash({ cn: 'Ann S.' }));
});

test('the language is the best that the message would take', () => {
  assert.deepEqual(languagesOf('fr;q=0.5, de-AT, en;q=0, x;q=1', 'nl'), ['de-at', 'x', 'fr', 'nl']);
  const texts = new Map([
    ['', 'plain'],
    ['de', 'deutsch'],
    ['fr-ca', 'quebec'],
  ]);
  assert.equal(chooseText(texts, ['de-at']), 'deutsch');
  assert.equal(chooseText(texts, ['fr', 'de']), 'deutsch');
  assert.equal(chooseText(texts, ['fr-CA'.toLowerCase()]), 'quebec');
  assert.equal(chooseText(texts, ['nl', '*']), 'plain');
  assert.equal(chooseText(new Map([['de', 'deutsch']]), ['nl']), undefined);
});

test('signs in a text', () => {
  const putIn = { SUBJECT: 'Hi $ there\r\nX: y', FROM: 'Carol', START: '2026-12-20', END: '2027-01-03' };
  assert.equal(
    writeText('Dear $FROM,$about "$SUBJECT":$ away $START to $END, 5$$ a day.$', putIn),
    'Dear Carol,\nabout "Hi $ there  X: y":\n away 2026-12-20 to 2027-01-03, 5$ a day.\n',
  );
});

const answerOf = (
  of: Parameters<typeof profile>[0],
  fields = TO_ANN,
  bytes?: Buffer,
  sender = 'carol@remote.example',
) =>
  composeAnswer(
    profile(of),
    { sender: parseAddress(sender), header: header(...fields), ...(bytes === undefined ? {} : { bytes }) },
    { hostname: 'mail.acme.example', id: '00ABC', at: NOW },
  );

test('an answer says that it is one, and what it answers', () => {
  const bytes = answerOf({}, [...TO_ANN, 'Message-ID: <m1@r>', 'References: <a@r> <b@r>'])!;
  assert.equal(
    bytes.toString('latin1'),
    [
      'From: Ann Smith <Ann@acme.example>',
      'To: <carol@remote.example>',
      'Subject: Auto: Hi',
      'Date: Thu, 24 Dec 2026 10:00:00 +0000',
      'Message-ID: <00ABC@mail.acme.example>',
      'In-Reply-To: <m1@r>',
      'References: <a@r>\r\n <b@r>\r\n <m1@r>',
      'Auto-Submitted: auto-replied',
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=us-ascii',
      '',
      'I am away',
      '',
    ].join('\r\n'),
  );
});

test('who is of the same domain reads the text for them, others do not', () => {
  const texts = { mailAutoReplyTextInternal: 'Ask Bob', 'mailAutoReplyText;lang-de': 'Ich bin weg' };
  const text = (sender: string, ...fields: string[]) =>
    answerOf(texts, [...TO_ANN, ...fields], undefined, sender)!
      .toString()
      .split('\r\n\r\n')[1];
  assert.equal(text('bob@acme.example'), 'Ask Bob\r\n');
  assert.equal(text('carol@remote.example'), 'I am away\r\n');
  assert.equal(text('carol@remote.example', 'Accept-Language: de'), 'Ich bin weg\r\n');
  assert.equal(answerOf({ mailAutoReplyText: '', mailAutoReplyTextInternal: 'Ask Bob' }), undefined);
});

test('letters beyond ASCII, in subject, name and text', () => {
  const bytes = answerOf({ cn: 'Änn', mailAutoReplyText: 'Grüße$am $START', mailAutoReplySubject: 'Über $SUBJECT' }, [
    ...TO_ANN.slice(0, 2),
    'Subject: =?utf-8?Q?=C3=A9?= ',
  ])!;
  const read = parseHeader(bytes);
  assert.equal(decodeWords(findValue(read, 'subject')!), 'Über é');
  assert.equal(decodeWords(findValue(read, 'from')!), 'Änn <Ann@acme.example>');
  assert.equal(decodeQuotedPrintable(bytes.subarray(read.end)).toString(), 'Grüße\r\nam\r\n');
});

test('no stranger makes a field or a part of an answer', () => {
  const hostile = fc.string({
    unit: fc.constantFrom('\r', '\n', '\0', ':', '"', '<', '>', '=?', '?=', ',', 'a', ' ', 'é', '-'),
    maxLength: 60,
  });
  fc.assert(
    fc.property(hostile, hostile, hostile, (subject, from, id) => {
      const fields = [`From: ${from}`, 'To: ann@acme.example', `Subject: ${subject}`, `Message-ID: <${id}>`];
      const bytes = answerOf({ mailAutoReplyText: '$FROM wrote $SUBJECT' }, fields)!;
      const known = ['from', 'to', 'subject', 'date', 'message-id', 'in-reply-to', 'references'];
      const names = parseHeader(bytes).fields.map(({ name }) => name);
      assert.deepEqual(
        names.filter((name) => !known.includes(name)),
        [
          'auto-submitted',
          'mime-version',
          'content-type',
          ...(bytes.includes('quoted-printable') ? ['content-transfer-encoding'] : []),
        ],
      );
      assert.ok(bytes.every((octet) => octet < 0x80 && octet !== 0));
    }),
  );
});

test('mode echo sends the message back, or its header where it is long', () => {
  const short = Buffer.from(`${TO_ANN.join('\r\n')}\r\n\r\nbody \xff\r\n`, 'latin1');
  const answer = parseMessage(answerOf({ mailAutoReplyMode: 'ECHO' }, TO_ANN, short)!);
  assert.deepEqual(
    answer.structure.parts.map(({ type, subtype }) => `${type}/${subtype}`),
    ['text/plain', 'message/rfc822'],
  );
  assert.ok(answerOf({ mailAutoReplyMode: 'echo' }, TO_ANN, short)!.includes(short));
  const long = Buffer.alloc(ECHO_MAX + 1, 'x');
  assert.match(answerOf({ mailAutoReplyMode: 'echo' }, TO_ANN, long)!.toString(), /Content-Type: text\/rfc822-headers/);
  assert.ok(answerOf({ mailAutoReplyMode: 'echo', mailAutoReplyText: '' }, TO_ANN, short));
});
