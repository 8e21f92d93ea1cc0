// Every command: its bytes and its value; cut, mutated and random bytes give a value or a Failure, nothing else.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedOctets } from '../../../../test/support/nearly-right.ts';
import { SyntaxFailure } from '../../../base/cursor.ts';
import { Failure } from '../../../base/failure.ts';
import type { ImapCommand } from '../command.ts';
import { ImapCursor } from '../grammar.ts';
import { startsMessage } from '../message-start.ts';
import { type MessageUrl, parseMessageUrl } from '../message-url.ts';
import { type NumberSet, STAR } from '../values.ts';
import { type MessageStep, parseAppend } from './append.ts';
import { parseAuthenticate } from './authenticate.ts';
import { parseCancelUpdate } from './cancelupdate.ts';
import { parseCompress } from './compress.ts';
import { parseCopy } from './copy.ts';
import { parseCreate } from './create.ts';
import { parseEsearch } from './esearch.ts';
import { parseExpunge } from './expunge.ts';
import { parseFetch } from './fetch.ts';
import { parseId } from './id.ts';
import { parseLanguage } from './language.ts';
import { parseList, parseLsub } from './list.ts';
import { parseLogin } from './login.ts';
import { parseGetMetadata, parseSetMetadata } from './metadata.ts';
import { parseNotify } from './notify.ts';
import { parseGetQuota, parseGetQuotaRoot, parseSetQuota } from './quota.ts';
import { parseRename } from './rename.ts';
import { parseSearch } from './search.ts';
import { parseSelect } from './select.ts';
import { parseSimple } from './simple.ts';
import { parseSort } from './sort.ts';
import { parseStatus } from './status.ts';
import { parseStore } from './store.ts';
import { parseThread } from './thread.ts';
import { parseGenUrlAuth, parseResetKey, parseUrlFetch } from './urlauth.ts';

const parsers = new Map<string, (cursor: ImapCursor) => ImapCommand>([
  ['NOOP', parseSimple('NOOP')],
  ['ID', parseId],
  ['LOGIN', parseLogin],
  ['AUTHENTICATE', parseAuthenticate],
  ['SELECT', parseSelect('SELECT')],
  ['CREATE', parseCreate],
  ['NAMESPACE', parseSimple('NAMESPACE')],
  ['COMPRESS', parseCompress],
  ['GETQUOTA', parseGetQuota],
  ['GETQUOTAROOT', parseGetQuotaRoot],
  ['SETQUOTA', parseSetQuota],
  ['GETMETADATA', parseGetMetadata],
  ['SETMETADATA', parseSetMetadata],
  ['LANGUAGE', parseLanguage],
  ['RENAME', parseRename],
  ['LIST', parseList],
  ['LSUB', parseLsub],
  ['STATUS', parseStatus],
  ['SEARCH', (cursor) => parseSearch(cursor, false)],
  ['UID SEARCH', (cursor) => parseSearch(cursor, true)],
  ['ESEARCH', parseEsearch],
  ['NOTIFY', parseNotify],
  ['CANCELUPDATE', parseCancelUpdate],
  ['SORT', (cursor) => parseSort(cursor, false)],
  ['UID SORT', (cursor) => parseSort(cursor, true)],
  ['GENURLAUTH', parseGenUrlAuth],
  ['URLFETCH', parseUrlFetch],
  ['RESETKEY', parseResetKey],
  ['THREAD', (cursor) => parseThread(cursor, false)],
  ['UID THREAD', (cursor) => parseThread(cursor, true)],
  ['FETCH', (cursor) => parseFetch(cursor, false)],
  ['UID FETCH', (cursor) => parseFetch(cursor, true)],
  ['STORE', (cursor) => parseStore(cursor, false)],
  ['UID STORE', (cursor) => parseStore(cursor, true)],
  ['COPY', (cursor) => parseCopy('COPY')(cursor, false)],
  ['UID COPY', (cursor) => parseCopy('COPY')(cursor, true)],
  ['MOVE', (cursor) => parseCopy('MOVE')(cursor, false)],
  ['UID MOVE', (cursor) => parseCopy('MOVE')(cursor, true)],
  ['EXPUNGE', (cursor) => parseExpunge(cursor, false)],
  ['UID EXPUNGE', (cursor) => parseExpunge(cursor, true)],
]);

function parse(text: string): ImapCommand {
  const cursor = new ImapCursor(text);
  let name = cursor.word();
  if (name === 'UID') {
    cursor.space();
    name = `UID ${cursor.word()}`;
  }
  const parser = parsers.get(name);
  return parser === undefined ? cursor.fail('a command') : parser(cursor);
}

const sequence = (...ranges: [number, number][]): NumberSet => ({
  unit: 'sequence',
  ranges: ranges.map(([first, last]) => ({ first, last })),
});
const uids = (...ranges: [number, number][]): NumberSet => ({ ...sequence(...ranges), unit: 'uid' });
const unmodified = { changedSince: undefined, vanished: false };
const saved: NumberSet = { unit: 'saved', ranges: [] };
const none = { system: [], keywords: [] } as const;
const whole = { part: [], text: undefined, fields: [] } as const;

const plainList = {
  name: 'LIST',
  reference: '',
  select: new Set<never>(),
  returns: undefined,
  status: [],
  metadata: [],
  isExtended: false,
} as const;

const table: readonly [bytes: string, value: ImapCommand][] = [
  ['NOOP', { name: 'NOOP' }],
  ['noop', { name: 'NOOP' }],
  ['ID NIL', { name: 'ID', parameters: new Map() }],
  [
    'ID ("Name" "x" "os" NIL)',
    {
      name: 'ID',
      parameters: new Map([
        ['name', 'x'],
        ['os', undefined],
      ]),
    },
  ],
  ['ID ("__proto__" "x")', { name: 'ID', parameters: new Map([['__proto__', 'x']]) }],
  ['LOGIN ann secret', { name: 'LOGIN', login: 'ann', password: 'secret' }],
  ['LOGIN "a\\"n\\\\n" {4}\r\n\xc3\xa4 {', { name: 'LOGIN', login: 'a"n\\n', password: '\xc3\xa4 {' }],
  ['LOGIN ann@acme.example ""', { name: 'LOGIN', login: 'ann@acme.example', password: '' }],
  ['AUTHENTICATE plain', { name: 'AUTHENTICATE', mechanism: 'PLAIN', initial: undefined }],
  ['AUTHENTICATE PLAIN AGEAYg==', { name: 'AUTHENTICATE', mechanism: 'PLAIN', initial: 'AGEAYg==' }],
  ['SELECT inBOX', { name: 'SELECT', mailbox: 'INBOX', condstore: false, qresync: undefined }],
  ['SELECT "Entw&APw-rfe/&-"', { name: 'SELECT', mailbox: 'Entwürfe/&', condstore: false, qresync: undefined }],
  ['CREATE {5}\r\na b/c', { name: 'CREATE', mailbox: 'a b/c', uses: undefined }],
  ['CREATE x (USE (\\Sent \\foo))', { name: 'CREATE', mailbox: 'x', uses: ['\\Sent', '\\foo'] }],
  ['CREATE x ()', { name: 'CREATE', mailbox: 'x', uses: undefined }],
  ['NAMESPACE', { name: 'NAMESPACE' }],
  ['COMPRESS deflate', { name: 'COMPRESS', mechanism: 'DEFLATE' }],
  ['GETQUOTA ""', { name: 'GETQUOTA', root: '' }],
  ['GETQUOTAROOT inbox', { name: 'GETQUOTAROOT', mailbox: 'INBOX' }],
  ['SETQUOTA "#user/alice" (STORAGE 512 X-Y 3)', { name: 'SETQUOTA', root: '#user/alice' }],
  [
    'GETMETADATA "" /shared/comment',
    { name: 'GETMETADATA', mailbox: '', entries: ['/shared/comment'], depth: 0, maxSize: undefined },
  ],
  [
    'GETMETADATA (DEPTH 1) "INBOX" (/private/Filters/values "/shared")',
    {
      name: 'GETMETADATA',
      mailbox: 'INBOX',
      entries: ['/private/filters/values', '/shared'],
      depth: 1,
      maxSize: undefined,
    },
  ],
  [
    'GETMETADATA inbox (MAXSIZE 1024 depth Infinity) {15}\r\n/shared/comment',
    { name: 'GETMETADATA', mailbox: 'INBOX', entries: ['/shared/comment'], depth: 'infinity', maxSize: 1024 },
  ],
  [
    'SETMETADATA INBOX (/private/comment {3}\r\nx\ny /shared/comment NIL /private/Bin ~{2}\r\n\0\xe4)',
    {
      name: 'SETMETADATA',
      mailbox: 'INBOX',
      values: [
        { entry: '/private/comment', value: 'x\ny' },
        { entry: '/shared/comment', value: undefined },
        { entry: '/private/bin', value: '\0\xe4' },
      ],
    },
  ],
  [
    'LIST "" % RETURN (METADATA ("/shared/comment" /private/Color) CHILDREN)',
    {
      ...plainList,
      patterns: ['%'],
      returns: new Set(['CHILDREN'] as const),
      metadata: ['/shared/comment', '/private/color'],
      isExtended: true,
    },
  ],
  ['LANGUAGE', { name: 'LANGUAGE', ranges: [] }],
  ['LANGUAGE * FR-CA "EN-CA"', { name: 'LANGUAGE', ranges: ['*', 'fr-ca', 'en-ca'] }],
  ['RENAME a "b"', { name: 'RENAME', from: 'a', to: 'b' }],
  ['LIST "" *', { ...plainList, patterns: ['*'] }],
  ['LIST a/ %/b]', { ...plainList, reference: 'a/', patterns: ['%/b]'] }],
  ['LIST () "" *', { ...plainList, patterns: ['*'], isExtended: true }],
  ['LIST "" (a "b%")', { ...plainList, patterns: ['a', 'b%'], isExtended: true }],
  [
    'LIST (subscribed RECURSIVEMATCH) "" % RETURN (CHILDREN STATUS (MESSAGES SIZE) SPECIAL-USE)',
    {
      ...plainList,
      ...{ patterns: ['%'], isExtended: true, select: new Set(['SUBSCRIBED', 'RECURSIVEMATCH'] as const) },
      returns: new Set(['CHILDREN', 'SPECIAL-USE'] as const),
      status: ['MESSAGES', 'SIZE'],
    },
  ],
  ['LIST "" % RETURN ()', { ...plainList, patterns: ['%'], returns: new Set(), isExtended: true }],
  ['LSUB "" ""', { name: 'LSUB', reference: '', pattern: '' }],
  ['STATUS INBOX (messages UNSEEN MESSAGES)', { name: 'STATUS', mailbox: 'INBOX', items: ['MESSAGES', 'UNSEEN'] }],
  [
    'FETCH 1 FLAGS',
    {
      name: 'FETCH',
      messages: sequence([1, 1]),
      attributes: new Set(['FLAGS']),
      sections: [],
      partial: undefined,
      ...unmodified,
    },
  ],
  [
    'UID FETCH 4:*,2 ALL',
    {
      name: 'FETCH',
      messages: uids([4, STAR], [2, 2]),
      attributes: new Set(['UID', 'FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE']),
      sections: [],
      partial: undefined,
      ...unmodified,
    },
  ],
  [
    'FETCH *:1 (BODY BODY[] BODY.PEEK[1.2.MIME]<0.10> RFC822.HEADER RFC822.HEADER)',
    {
      name: 'FETCH',
      messages: sequence([STAR, 1]),
      attributes: new Set(['BODY']),
      sections: [
        { section: whole, partial: undefined, peek: false, alias: undefined },
        {
          section: { part: [1, 2], text: 'MIME', fields: [] },
          partial: { offset: 0, length: 10 },
          peek: true,
          alias: undefined,
        },
        { section: { ...whole, text: 'HEADER' }, partial: undefined, peek: true, alias: 'RFC822.HEADER' },
      ],
      partial: undefined,
      ...unmodified,
    },
  ],
  [
    'FETCH 1 body[1.header.fields.not (Date {4}\r\nFrom "To")]',
    {
      name: 'FETCH',
      messages: sequence([1, 1]),
      attributes: new Set(),
      sections: [
        {
          section: { part: [1], text: 'HEADER.FIELDS.NOT', fields: ['Date', 'From', 'To'] },
          partial: undefined,
          peek: false,
          alias: undefined,
        },
      ],
      partial: undefined,
      ...unmodified,
    },
  ],
  [
    'FETCH 1 (BINARY[1.2]<3.4> BINARY.PEEK[] BINARY.SIZE[1] PREVIEW PREVIEW (LAZY) EMAILID THREADID SAVEDATE)',
    {
      name: 'FETCH',
      messages: sequence([1, 1]),
      attributes: new Set(['EMAILID', 'THREADID', 'SAVEDATE']),
      sections: [
        { binary: 'content', part: [1, 2], partial: { offset: 3, length: 4 }, peek: false },
        { binary: 'content', part: [], partial: undefined, peek: true },
        { binary: 'size', part: [1], partial: undefined, peek: true },
        { preview: 'made', peek: true },
        { preview: 'lazy', peek: true },
      ],
      partial: undefined,
      ...unmodified,
    },
  ],
  [
    'UID FETCH 25900:26600 (UID) (PARTIAL -1:-3)',
    {
      name: 'FETCH',
      messages: uids([25900, 26600]),
      attributes: new Set(['UID']),
      sections: [],
      partial: { from: -1, to: -3 },
      ...unmodified,
    },
  ],
  [
    'STORE 1:3 FLAGS ()',
    {
      name: 'STORE',
      byUid: false,
      messages: sequence([1, 3]),
      mode: 'replace',
      silent: false,
      flags: none,
      unchangedSince: undefined,
    },
  ],
  [
    'UID STORE 7 +flags.silent \\Deleted Junk JUNK',
    {
      name: 'STORE',
      byUid: true,
      messages: uids([7, 7]),
      mode: 'add',
      silent: true,
      flags: { system: ['\\Deleted'], keywords: ['Junk'] },
      unchangedSince: undefined,
    },
  ],
  [
    'STORE 1 -FLAGS (\\Draft)',
    {
      name: 'STORE',
      byUid: false,
      messages: sequence([1, 1]),
      mode: 'remove',
      silent: false,
      flags: { system: ['\\Draft'], keywords: [] },
      unchangedSince: undefined,
    },
  ],
  [
    'UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)',
    {
      name: 'FETCH',
      messages: uids([300, 500]),
      attributes: new Set(['UID', 'FLAGS', 'MODSEQ']),
      sections: [],
      partial: undefined,
      changedSince: 12345,
      vanished: true,
    },
  ],
  [
    'STORE 7 (UNCHANGEDSINCE 9223372036854775807) +FLAGS.SILENT (\\Deleted)',
    {
      name: 'STORE',
      byUid: false,
      messages: sequence([7, 7]),
      mode: 'add',
      silent: true,
      flags: { system: ['\\Deleted'], keywords: [] },
      unchangedSince: Number.MAX_SAFE_INTEGER,
    },
  ],
  ['SELECT INBOX (CONDSTORE)', { name: 'SELECT', mailbox: 'INBOX', condstore: true, qresync: undefined }],
  [
    'SELECT INBOX (QRESYNC (67890007 90060115194045000 41:211,214:541 (1,3 41,44)))',
    {
      name: 'SELECT',
      mailbox: 'INBOX',
      condstore: false,
      qresync: {
        uidValidity: 67890007,
        modseq: Number.MAX_SAFE_INTEGER,
        uids: [
          { first: 41, last: 211 },
          { first: 214, last: 541 },
        ],
        pairs: {
          numbers: [
            { first: 1, last: 1 },
            { first: 3, last: 3 },
          ],
          uids: [
            { first: 41, last: 41 },
            { first: 44, last: 44 },
          ],
        },
      },
    },
  ],
  [
    'SELECT INBOX (QRESYNC (7 9 (1 4)))',
    {
      name: 'SELECT',
      mailbox: 'INBOX',
      condstore: false,
      qresync: {
        uidValidity: 7,
        modseq: 9,
        uids: undefined,
        pairs: { numbers: [{ first: 1, last: 1 }], uids: [{ first: 4, last: 4 }] },
      },
    },
  ],
  ['COPY 1,3 Trash', { name: 'COPY', messages: sequence([1, 1], [3, 3]), mailbox: 'Trash' }],
  ['UID COPY 4294967295 Trash', { name: 'COPY', messages: uids([4294967295, 4294967295]), mailbox: 'Trash' }],
  ['MOVE 42:69 foo', { name: 'MOVE', messages: sequence([42, 69]), mailbox: 'foo' }],
  ['UID MOVE 42:69 foo', { name: 'MOVE', messages: uids([42, 69]), mailbox: 'foo' }],
  ['EXPUNGE', { name: 'EXPUNGE', uids: undefined }],
  ['UID EXPUNGE 1:*', { name: 'EXPUNGE', uids: uids([1, STAR]) }],
  ['SEARCH ALL', { name: 'SEARCH', byUid: false, returns: undefined, unknownCharset: undefined, key: { key: 'all' } }],
  [
    'FETCH $ UID',
    { name: 'FETCH', messages: saved, attributes: new Set(['UID']), sections: [], partial: undefined, ...unmodified },
  ],
  ['UID EXPUNGE $', { name: 'EXPUNGE', uids: saved }],
  [
    'UID SEARCH RETURN (MIN partial -1:-100 SAVE) CHARSET UTF-8 UID $ $ OLDER 60 YOUNGER 1',
    {
      name: 'SEARCH',
      byUid: true,
      returns: { options: new Set(['MIN', 'SAVE']), partial: { from: -1, to: -100 } },
      unknownCharset: undefined,
      key: {
        key: 'and',
        of: [
          { key: 'numbers', numbers: saved },
          { key: 'numbers', numbers: saved },
          { key: 'within', relation: 'older', seconds: 60 },
          { key: 'within', relation: 'younger', seconds: 1 },
        ],
      },
    },
  ],
  [
    'ESEARCH IN (mailboxes "folder1" subtree (folder2 x) selected) RETURN (COUNT) UNSEEN',
    {
      name: 'ESEARCH',
      sources: [
        { kind: 'MAILBOXES', names: ['folder1'] },
        { kind: 'SUBTREE', names: ['folder2', 'x'] },
        { kind: 'SELECTED' },
      ],
      returns: { options: new Set(['COUNT']), partial: undefined },
      unknownCharset: undefined,
      key: { key: 'flag', flag: '\\Seen', isSet: false },
    },
  ],
  [
    'NOTIFY SET STATUS (Selected-Delayed (messagenew (UID BODY.PEEK[HEADER.FIELDS (TO)]) MessageExpunge flagchange)) (subtree (Lists "a b") (MailboxName MailboxMetadataChange)) (mailboxes misc NONE)',
    {
      name: 'NOTIFY',
      groups: [
        {
          mailboxes: { kind: 'SELECTED-DELAYED' },
          events: new Set(['MessageNew', 'MessageExpunge', 'FlagChange']),
        },
        { mailboxes: { kind: 'SUBTREE', names: ['Lists', 'a b'] }, events: new Set(['MailboxName']) },
        { mailboxes: { kind: 'MAILBOXES', names: ['misc'] }, events: new Set() },
      ],
      wantsStatus: true,
      fetched: {
        attributes: new Set(['UID']),
        sections: [
          {
            section: { part: [], text: 'HEADER.FIELDS', fields: ['TO'] },
            partial: undefined,
            peek: true,
            alias: undefined,
          },
        ],
      },
      hasUnknown: true,
    },
  ],
  [
    'ESEARCH RETURN (UPDATE (UID) COUNT) ALL',
    {
      name: 'ESEARCH',
      sources: [{ kind: 'SELECTED' }],
      returns: {
        options: new Set(['UPDATE', 'COUNT']),
        partial: undefined,
        fetched: { attributes: new Set(['UID']), sections: [] },
      },
      unknownCharset: undefined,
      key: { key: 'all' },
    },
  ],
  ['NOTIFY NONE', { name: 'NOTIFY', groups: [], wantsStatus: false, fetched: undefined, hasUnknown: false }],
  ['CANCELUPDATE "B01" "B02"', { name: 'CANCELUPDATE', tags: ['B01', 'B02'] }],
  [
    'ESEARCH ALL',
    {
      name: 'ESEARCH',
      sources: [{ kind: 'SELECTED' }],
      returns: { options: new Set(['ALL']), partial: undefined },
      unknownCharset: undefined,
      key: { key: 'all' },
    },
  ],
  [
    'SORT (SUBJECT reverse DATE) UTF-8 ALL',
    {
      name: 'SORT',
      byUid: false,
      returns: undefined,
      criteria: [
        { key: 'SUBJECT', isReverse: false },
        { key: 'DATE', isReverse: true },
      ],
      unknownCharset: undefined,
      key: { key: 'all' },
    },
  ],
  [
    'UID SORT RETURN (COUNT) (DISPLAYFROM) "x-none" SEEN',
    {
      name: 'SORT',
      byUid: true,
      returns: { options: new Set(['COUNT']), partial: undefined },
      criteria: [{ key: 'DISPLAYFROM', isReverse: false }],
      unknownCharset: 'x-none',
      key: { key: 'flag', flag: '\\Seen', isSet: true },
    },
  ],
  [
    'UID THREAD refs UTF-8 ALL',
    { name: 'THREAD', byUid: true, algorithm: 'REFS', unknownCharset: undefined, key: { key: 'all' } },
  ],
  [
    'SEARCH RETURN () ALL',
    {
      name: 'SEARCH',
      byUid: false,
      returns: { options: new Set(['ALL']), partial: undefined },
      unknownCharset: undefined,
      key: { key: 'all' },
    },
  ],
  [
    'UID SEARCH CHARSET utf-8 SUBJECT {6}\r\n\xc3\xa4\xe2\x82\xacx LARGER 10',
    {
      name: 'SEARCH',
      byUid: true,
      returns: undefined,
      unknownCharset: undefined,
      key: {
        key: 'and',
        of: [
          { key: 'header', field: 'subject', text: 'ä€x' },
          { key: 'size', relation: 'larger', sizeBytes: 10 },
        ],
      },
    },
  ],
  [
    'SEARCH CHARSET KOI8-R TEXT x',
    { name: 'SEARCH', byUid: false, returns: undefined, unknownCharset: 'KOI8-R', key: { key: 'text', text: 'x' } },
  ],
  [
    'SEARCH OR NOT NEW (1:2 UID 3) SENTSINCE "1-Feb-2026" HEADER X-Spam "" UNKEYWORD $Junk OLD',
    {
      name: 'SEARCH',
      byUid: false,
      returns: undefined,
      unknownCharset: undefined,
      key: {
        key: 'and',
        of: [
          {
            key: 'or',
            of: [
              {
                key: 'not',
                of: {
                  key: 'and',
                  of: [
                    { key: 'flag', flag: '\\Recent', isSet: true },
                    { key: 'flag', flag: '\\Seen', isSet: false },
                  ],
                },
              },
              {
                key: 'and',
                of: [
                  { key: 'numbers', numbers: sequence([1, 2]) },
                  { key: 'numbers', numbers: uids([3, 3]) },
                ],
              },
            ],
          },
          { key: 'sent-date', relation: 'since', day: Date.UTC(2026, 1, 1) / 86_400_000 },
          { key: 'header', field: 'x-spam', text: '' },
          { key: 'keyword', keyword: '$Junk', isSet: false },
          { key: 'flag', flag: '\\Recent', isSet: false },
        ],
      },
    },
  ],
];

for (const [bytes, value] of table)
  test(`value of ${JSON.stringify(bytes)}`, () => assert.deepEqual(parse(bytes), value));

const wrong: readonly string[] = [
  '',
  'NOOP x',
  'LOGIN ann',
  'LOGIN ann ',
  'LOGIN ann x y',
  'LOGIN ann "x',
  'LOGIN ann "\\x"',
  'LOGIN ann "\xe4"',
  'LOGIN ann {3}\r\nx\0y',
  'LOGIN ann \xe4',
  'AUTHENTICATE PLAIN(',
  'SELECT',
  'SELECT a b',
  'SELECT a ()',
  'SELECT a (CONDSTOR)',
  'SELECT a (QRESYNC (0 1))',
  'SELECT a (QRESYNC (1 0))',
  'SELECT a (QRESYNC (1 9223372036854775808))',
  'SELECT a (QRESYNC (1 1 1:*))',
  'SELECT a (QRESYNC (1 1 1:3 (1:* 1)))',
  'SELECT a (QRESYNC (1 1) QRESYNC (1 1))',
  'STORE 1 (UNCHANGEDSINCE 9223372036854775808) FLAGS ()',
  'STORE 1 (UNCHANGEDSINCE -1) FLAGS ()',
  'STORE 1 (CHANGEDSINCE 1) FLAGS ()',
  'FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)',
  'FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)',
  'UID FETCH 1 FLAGS (VANISHED)',
  'SELECT a*',
  'RENAME a',
  'LIST ""',
  'STATUS INBOX ()',
  'STATUS INBOX (SIZES)',
  'LIST (RECURSIVEMATCH) "" *',
  'LIST (RECURSIVEMATCH REMOTE) "" *',
  'LIST (X) "" *',
  'LIST "" ()',
  `LIST "" (${'a '.repeat(100)}a)`,
  'LIST "" * RETURN',
  'LIST "" * RETURN (X)',
  'LIST "" * RETURN (STATUS ())',
  'LIST "" * RETURN (METADATA ())',
  'LIST "" * RETURN (METADATA)',
  'GETMETADATA INBOX',
  'GETMETADATA INBOX ()',
  'GETMETADATA (DEPTH 2) INBOX /shared/comment',
  'GETMETADATA INBOX (DEPTH 2) /shared/comment',
  'GETMETADATA (WIDTH 2) INBOX /shared/comment',
  'GETMETADATA INBOX /comment',
  'GETMETADATA INBOX /shared/',
  'GETMETADATA INBOX /shared//x',
  'GETMETADATA INBOX "/shared/*"',
  'GETMETADATA INBOX "/shared/%"',
  `GETMETADATA INBOX /shared/${'x'.repeat(500)}`,
  'SETMETADATA INBOX /shared/comment x',
  'SETMETADATA INBOX ()',
  'SETMETADATA INBOX (/shared/comment)',
  'SETMETADATA INBOX (/shared/comment x)',
  'SETMETADATA INBOX (/shared "x")',
  'SETMETADATA INBOX (/shared/comment {2}\r\n\0x)',
  'SETMETADATA INBOX (/shared/comment ~{3}\r\nab)',
  'CREATE x USE',
  'SETQUOTA x (STORAGE)',
  'SETQUOTA x',
  'LANGUAGE (en)',
  `LANGUAGE${' en'.repeat(101)}`,
  'CREATE x (USE)',
  'CREATE x (USE ())(USE ())',
  'CREATE x (USE () USE ())',
  'CREATE x (USE (Sent))',
  'STATUS INBOX MESSAGES',
  'FETCH 0 FLAGS',
  'FETCH 1',
  'FETCH 1 ()',
  'FETCH 1 (FLAGS ALL)',
  'FETCH 1,,2 FLAGS',
  'FETCH 1: FLAGS',
  'FETCH 4294967296 FLAGS',
  'FETCH 9007199254740993 FLAGS',
  'FETCH 1 UID (PARTIAL 1:2)',
  'UID FETCH 1 UID ()',
  'UID FETCH 1 UID (PARTIAL 1:2 PARTIAL 1:2)',
  'FETCH 1 BODY[',
  'FETCH 1 BODY[0]',
  'FETCH 1 BODY[MIME]',
  'FETCH 1 BODY[1.]',
  'FETCH 1 BODY[HEADER.FIELDS ()]',
  'FETCH 1 BODY[]<0.0>',
  'FETCH 1 BODY[]<1>',
  'FETCH 1 BINARY',
  'FETCH 1 BINARY[TEXT]',
  'FETCH 1 BINARY[1.MIME]',
  'FETCH 1 BINARY.SIZE[1]<0.1>',
  'FETCH 1 (PREVIEW ())',
  'FETCH 1 (PREVIEW (EAGER))',
  'FETCH 1 RFC822[]',
  'FETCH 1 BODY.PEEK',
  'STORE 1 FLAGS',
  'STORE 1 FLAGS \\Recent',
  'STORE 1 *FLAGS ()',
  'STORE 1 FLAGS.LOUD ()',
  'MOVE 1',
  'MOVE foo',
  'UID EXPUNGE',
  'EXPUNGE 1',
  'SEARCH',
  'SEARCH FOO',
  'SEARCH ()',
  'SEARCH (ALL',
  'SEARCH ALL)',
  'SEARCH NOT',
  'SEARCH OR ALL',
  'SEARCH SINCE 1-1-2026',
  'SEARCH CHARSET UTF-8',
  'SEARCH RETURN ALL',
  'SEARCH RETURN (FOO) ALL',
  'SEARCH RETURN (UPDATE ()) ALL',
  'SEARCH RETURN (COUNT (UID)) ALL',
  'SEARCH RETURN (ALL PARTIAL 1:2) ALL',
  'SEARCH RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL',
  'SEARCH RETURN (PARTIAL 0:2) ALL',
  'SEARCH RETURN (PARTIAL -1:2) ALL',
  'SEARCH RETURN (PARTIAL 1:*) ALL',
  'SEARCH RETURN (PARTIAL 1) ALL',
  'SEARCH RETURN ()',
  'CANCELUPDATE',
  'CANCELUPDATE B01',
  'NOTIFY',
  'NOTIFY SET',
  'NOTIFY SET STATUS',
  'NOTIFY NONE x',
  'NOTIFY SET (selected)',
  'NOTIFY SET (selected ())',
  'NOTIFY SET (selected NONE) (selected-delayed NONE)',
  'NOTIFY SET (selected (MailboxName))',
  'NOTIFY SET (personal (MessageNew))',
  'NOTIFY SET (personal (FlagChange))',
  'NOTIFY SET (personal (MessageNew (UID) MessageExpunge))',
  'NOTIFY SET (selected (MessageNew (FAST) MessageExpunge))',
  `NOTIFY SET${' (personal NONE)'.repeat(101)}`,
  'ESEARCH IN () ALL',
  'ESEARCH IN (selected-delayed) ALL',
  'ESEARCH IN (subtree) ALL',
  'ESEARCH IN (mailboxes ()) ALL',
  'ESEARCH IN (personal) RETURN (SAVE) ALL',
  'ESEARCH IN (personal)',
  'SORT () UTF-8 ALL',
  'SORT (SUBJECT) ALL',
  'SORT (REVERSE) UTF-8 ALL',
  'SORT (FOO) UTF-8 ALL',
  'SORT SUBJECT UTF-8 ALL',
  'THREAD FOO UTF-8 ALL',
  'THREAD REFERENCES UTF-8',
  'SEARCH OLDER 0',
  'SEARCH $,1',
  'FETCH $:4 UID',
  `SEARCH ${'('.repeat(5000)}`,
  `SEARCH ${'NOT '.repeat(5000)}ALL`,
  `SEARCH ${'OR ALL '.repeat(5000)}ALL`,
  `SEARCH ${'ALL '.repeat(1000)}ALL`,
  `FETCH ${'1,'.repeat(20_000)}1 FLAGS`,
  `FETCH 1 (${'BODY[1] '.repeat(256)}BODY[1])`,
  `FETCH 1 BODY[${'1.'.repeat(200)}1]`,
  `STORE 1 FLAGS ${'x'.repeat(101)}`,
  'ID ("a")',
  'ID (a b)',
];

for (const bytes of wrong)
  test(`no value of ${JSON.stringify(bytes.slice(0, 60))}`, () =>
    assert.throws(
      () => parse(bytes),
      (error) => error instanceof Failure && error.kind === 'syntax',
    ));

test('names that are not modified UTF-7 are invalid, not bad syntax', () => {
  for (const name of ['&', '&x', 'a&AGE-', '"&U,BTFw-&ZeVnLIqe-"', '&2AA-', '&!!!-', '{2}\r\n\xc3\xa4', '&-&-&AA'])
    assert.throws(
      () => parse(`SELECT ${name}`),
      (error) => error instanceof Failure && error.kind === 'invalid',
      name,
    );
});

/** `|` stands for the bytes of a message. */
function append(text: string, allowsUtf8 = false): { mailbox: string; steps: MessageStep[] } {
  const [head = '', ...rest] = text.split('|');
  const cursor = new ImapCursor(head);
  cursor.allowsUtf8 = allowsUtf8;
  const { mailbox, messages } = parseAppend(cursor);
  const steps: MessageStep[] = [];
  for (let step = messages.next(); step !== undefined; step = messages.next()) {
    steps.push(step);
    if (step.kind !== 'bytes') continue;
    const more = rest.shift();
    if (more === undefined) break;
    messages.goOn(`\r\n${more}`, rest.length > 0);
  }
  return { mailbox, steps };
}

const begin = { kind: 'begin', flags: none, internalDate: undefined, isUtf8: false } as const;
const bytes = { kind: 'bytes' } as const;
const end = { kind: 'end' } as const;
const appends: (readonly [text: string, mailbox: string, steps: readonly MessageStep[]])[] = [
  [' INBOX |', 'INBOX', [begin, bytes, end]],
  [
    ' x (\\seen $Forwarded) " 7-feb-2026 23:59:60 +0130" |',
    'x',
    [
      {
        ...begin,
        flags: { system: ['\\Seen'], keywords: ['$Forwarded'] },
        internalDate: Date.parse('2026-02-07T22:30:00Z'),
      },
      bytes,
      end,
    ],
  ],
  [
    ' x "29-Feb-2024 00:00:00 -1200" |  ',
    'x',
    [{ ...begin, internalDate: Date.parse('2024-02-29T12:00:00Z') }, bytes, end],
  ],
  [
    ' saved-messages (\\Seen) | (\\Flagged) | UTF8 (|) |',
    'saved-messages',
    [
      { ...begin, flags: { system: ['\\Seen'], keywords: [] } },
      ...[bytes, end],
      { ...begin, flags: { system: ['\\Flagged'], keywords: [] } },
      ...[bytes, end, { ...begin, isUtf8: true }, bytes, end, begin, bytes, end],
    ],
  ],
];

const url = (text: string) => ({ kind: 'url', url: text }) as const;
appends.push(
  [
    ' Drafts (\\Seen) CATENATE (URL "/a/;UID=20" TEXT | URL b TEXT |) |',
    'Drafts',
    [
      { ...begin, flags: { system: ['\\Seen'], keywords: [] } },
      ...[url('/a/;UID=20'), bytes, url('b'), bytes, end],
      ...[begin, bytes, end],
    ],
  ],
  [' x CATENATE (TEXT |)', 'x', [begin, bytes, end]],
);

test('URLs of messages', () => {
  const base = {
    ...{ server: undefined, uidValidity: undefined, section: undefined },
    ...{ partial: undefined, authorization: undefined },
  };
  const joe = { user: 'joe@x.example', host: 'h' };
  const digits = '91354a473744909de610943775f92038';
  const cases: readonly [string, MessageUrl][] = [
    ['/INBOX/;UID=20', { ...base, mailbox: 'INBOX', uid: 20 }],
    [
      'imap://joe%40x.example;AUTH=*@Mail.example:143/Entw%C3%BCrfe/a;uidvalidity=385759045/;UID=20/;section=1.MIME/;PARTIAL=0.1024',
      {
        server: { user: 'joe@x.example', host: 'mail.example' },
        ...{ mailbox: 'Entwürfe/a', uidValidity: 385759045, uid: 20 },
        section: { part: [1], text: 'MIME', fields: [] },
        partial: { offset: 0, length: 1024 },
        authorization: undefined,
      },
    ],
    [
      `imap://joe%40x.example@h/x/;uid=20;expire=2026-11-28T01:00:00.5+01:00;urlauth=submit+a%3Ab:internal:${digits.toUpperCase()}`,
      {
        ...{ ...base, server: joe, mailbox: 'x', uid: 20 },
        authorization: {
          expire: Date.UTC(2026, 10, 28) + 500,
          access: { kind: 'submit', name: 'a:b' },
          rump: 'imap://joe%40x.example@h/x/;uid=20;expire=2026-11-28T01:00:00.5+01:00;urlauth=submit+a%3Ab',
          token: { mechanism: 'INTERNAL', digits },
        },
      },
    ],
    [
      '/x/;UID=20/;PARTIAL=3;URLAUTH=authuser',
      {
        ...{ ...base, mailbox: 'x', uid: 20, partial: { offset: 3, length: Infinity } },
        authorization: {
          ...{ expire: undefined, access: { kind: 'authuser' }, token: undefined },
          rump: '/x/;UID=20/;PARTIAL=3;URLAUTH=authuser',
        },
      },
    ],
    [
      'imap://[::1]/x/;UID=4294967295/;PARTIAL=7',
      {
        ...base,
        server: { user: undefined, host: '[::1]' },
        mailbox: 'x',
        uid: 4294967295,
        partial: { offset: 7, length: Infinity },
      },
    ],
  ];
  for (const [text, value] of cases) assert.deepEqual(parseMessageUrl(text), value, text);
  for (const text of [
    '',
    '/',
    'http://x/y/;UID=1',
    '/x;UID=1',
    '/x/;UID=',
    '/x/;UID=1x',
    '/x%2/;UID=1',
    '/x%ff/;UID=1',
    '/x/;UID=1/;SECTION=FOO',
    'imap://h',
    '/x/;UID=1;EXPIRE=2026-11-28T00:00:00Z',
    '/x/;UID=1;EXPIRE=2026-02-30T00:00:00Z;URLAUTH=anonymous',
    '/x/;UID=1;EXPIRE=2026-11-28;URLAUTH=anonymous',
    '/x/;UID=1;URLAUTH=',
    '/x/;UID=1;URLAUTH=user+',
    '/x/;UID=1;URLAUTH=user+a@b',
    '/x/;UID=1;URLAUTH=nobody',
    '/x/;UID=1;URLAUTH=anonymousx',
    '/x/;UID=1;URLAUTH=anonymous;EXPIRE=2026-11-28T00:00:00Z',
    `/x/;UID=1;URLAUTH=anonymous:${digits}`,
    `/x/;UID=1;URLAUTH=anonymous:internal:${digits.slice(1)}`,
    `/x/;UID=1;URLAUTH=anonymous:internal:${digits}g`,
    `/${'x'.repeat(8192)}/;UID=1`,
  ])
    assert.throws(() => parseMessageUrl(text), SyntaxFailure, text);
  fc.assert(
    fc.property(mutatedOctets(cases.map(([text]) => text)), (octets) => {
      try {
        parseMessageUrl(octets.toString('latin1'));
      } catch (error) {
        if (!(error instanceof SyntaxFailure)) throw error;
      }
    }),
    fuzzCases(1000),
  );
});

test('the messages of an APPEND, step by step', () => {
  for (const [text, mailbox, steps] of appends) assert.deepEqual(append(text), { mailbox, steps }, text);
  assert.equal(append(' "\xc3\xa4" |', true).mailbox, 'ä');
  for (const text of [
    ' INBOX (\\Recent) |',
    ' INBOX (\\Foo) |',
    ' INBOX "32-Jan-2026 00:00:00 +0000" |',
    ' INBOX "30-Feb-2026 00:00:00 +0000" |',
    ' INBOX " 1-Jan-2026 24:00:00 +0000" |',
    ' INBOX " 1-Jan-2026 00:00:00" |',
    ' x |)',
    ' x UTF8 (| |',
    ' x UTF8 |',
    ' x | (',
    ' x | |y',
    ' x (\\Seen)|',
    ' x',
    ' "\xc3\xa4" |',
  ])
    assert.throws(() => append(text), SyntaxFailure, text);
  assert.throws(() => append(' "\xc3" |', true), SyntaxFailure);
});

test('an APPEND cut, or with any byte replaced, doubled or left out, is read or fails', () => {
  const texts = fc.constantFrom(...appends.map(([text]) => text));
  const isRead = (text: string): void => {
    try {
      append(text);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    }
  };
  for (const [text] of appends) for (let i = 0; i < text.length; i++) isRead(text.slice(0, i));
  fc.assert(
    fc.property(mutatedOctets(appends.map(([text]) => text)), (octets) => isRead(octets.toString('latin1'))),
    fuzzCases(1000),
  );
  fc.assert(
    fc.property(texts, fc.nat(), fc.nat(255), (text, place, byte) => {
      const at = place % text.length;
      isRead(text.slice(0, at) + String.fromCharCode(byte) + text.slice(at + 1));
    }),
    { numRuns: 1000 },
  );
});

test('which literal is the message of an APPEND', () => {
  const cases: readonly [string, boolean][] = [
    ['A APPEND ', false],
    ['A APPEND INBOX ', true],
    ['A append {5}\r\nINBOX ', true],
    ['A APPEND INBOX (\\Seen) ', true],
    ['A APPEND INBOX (', false],
    ['A APPEND INBOX (\\Seen) " 1-Jan-2026 00:00:00 +0000" ', true],
    ['A APPEND INBOX (\\Seen) "nonsense" ', false],
    ['A APPEND &bad ', true],
    ['A LOGIN x ', false],
    ['APPEND INBOX ', false],
    ['A REPLACE 4 Drafts (\\Seen) ', true],
    ['A UID REPLACE * Drafts ', true],
    ['A REPLACE 4:5 Drafts ', false],
    ['A UID APPEND Drafts ', false],
    ['A APPEND INBOX UTF8 (', true],
    ['A APPEND INBOX UTF8 ', false],
    ['\r\n (\\Seen) ', true],
    ['\r\n url ', false],
    ['A APPEND x CATENATE (URL ', false],
    ['A APPEND x CATENATE (URL "a" TEXT ', true],
    ['A REPLACE 1 x CATENATE (URL "a") ', false],
  ];
  for (const [text, expected] of cases) assert.equal(startsMessage(text, false), expected, text);
});

function parsesOrFails(text: string): void {
  try {
    parse(text);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
}

test('every command cut at every byte parses or fails', () => {
  for (const [bytes] of table) for (let i = 0; i < bytes.length; i++) parsesOrFails(bytes.slice(0, i));
});

test('every command with any byte replaced, doubled or left out parses or fails', () => {
  const bytes = fc.constantFrom(...table.map(([text]) => text));
  fc.assert(
    fc.property(bytes, fc.nat(), fc.nat(255), fc.constantFrom(0, 1, 2), (text, place, byte, kind) => {
      const at = place % text.length;
      const middle = kind === 0 ? String.fromCharCode(byte) : text.charAt(at).repeat(kind === 1 ? 2 : 0);
      parsesOrFails(text.slice(0, at) + middle + text.slice(at + 1));
    }),
    { numRuns: 3000 },
  );
});

test('tokens in any order parse or fail', () => {
  const names = fc.constantFrom(...parsers.keys());
  const tokens = fc.array(
    fc.constantFrom(
      ' ',
      '(',
      ')',
      '"',
      '\\',
      '1',
      '*',
      ':',
      ',',
      '[',
      ']',
      '<',
      '.',
      '{2}\r\nab',
      '{9}\r\n',
      'NIL',
      'NOT',
      'OR',
      'BODY[',
      'BINARY[',
      'PREVIEW',
      'FLAGS',
      '+',
      '\\Seen',
      'a',
      '\0',
      '\xff',
      '&',
      '-',
      'HEADER.FIELDS',
      '$',
      'IN (',
      'subtree ',
      'RETURN (',
      'SET ',
      '(personal ',
      '(selected ',
      'MessageNew ',
      'MessageExpunge',
      'PARTIAL ',
      'CHARSET ',
      '99999999999',
    ),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(names, tokens, (name, parts) => parsesOrFails(`${name} ${parts.join('')}`)),
    { numRuns: 3000 },
  );
});

test('any octets near a command parse or fail', () => {
  const text = mutatedOctets(table.map(([bytes]) => Buffer.from(bytes, 'latin1')));
  fc.assert(
    fc.property(text, (octets) => parsesOrFails(octets.toString('latin1'))),
    fuzzCases(2000),
  );
});
