import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SyntaxFailure } from '../../base/cursor.ts';
import { Failure } from '../../base/failure.ts';
import { rdataText, recordText } from './text.ts';
import { parseRdata, type WrittenType, ZoneFile, type ZoneRecord } from './zone-file.ts';

function read(text: string, origin?: string): ZoneRecord[] {
  const file = new ZoneFile(text, origin);
  const records: ZoneRecord[] = [];
  for (let record = file.next(); record !== undefined; record = file.next()) records.push(record);
  return records;
}

const mx = (name: string, preference: number, exchange: string): ZoneRecord => ({
  name,
  type: 'MX',
  preference,
  exchange,
});

const CASES = Number(process.env['FUZZ_CASES'] ?? 5000);

test('what RFC 1035 §5 allows: origin, blank owners, both orders of TTL and class, parentheses, comments, escapes', () => {
  const text = `; a zone
$TTL 1h30m
@ 3600 IN SOA ns.elsewhere.example. host\\.master (
      2026112601 ; serial
      1H 15M 2W 300 )
  IN 3600 NS ns
\t\tMX 10 mail ; ours
 86400 MX (20
 backup.elsewhere.example.)
www A 192.0.2.1
text TXT "; no comment ( \\" )" x
$ORIGIN Sub
@ IN MX 0 mail.corp.example.
*.a CLASS1 mx 5 .
MX MX 1 @
\\097b TYPE257 \\# 0
$ORIGIN .
other.example. IN MX 10 host
`;
  const soa = { serial: 2026112601, refresh: 3600, retry: 900, expire: 1209600, minimum: 300 };
  assert.deepEqual(read(text, 'corp.example'), [
    { name: 'corp.example', type: 'SOA', mname: 'ns.elsewhere.example', rname: 'host\\.master.corp.example', ...soa },
    { name: 'corp.example', type: 'NS', target: 'ns.corp.example' },
    mx('corp.example', 10, 'mail.corp.example'),
    mx('corp.example', 20, 'backup.elsewhere.example'),
    mx('Sub.corp.example', 0, 'mail.corp.example'),
    mx('*.a.Sub.corp.example', 5, '.'),
    mx('MX.Sub.corp.example', 1, 'Sub.corp.example'),
    mx('other.example', 10, 'host'),
  ]);
});

// docs/field-cases.md
test('no class at the first record, times with units, a TTL of 0 or behind the class, comments without a blank, owners of digits', () => {
  const text = [
    '@\tSOA\tns root 1 3H 1H 1W 1H',
    '\tNS ns; to nobody else',
    '\t0 MX 5 a;(',
    '\tIN 600 MX 6 b',
    '0 IN MX 7 c',
    '1H 1H MX 8 d',
    'mx 0 MX ( 9',
    ' e ) ; )',
  ].join('\n');
  const lines = read(text, 'corp.example').map((record) => `${record.name} ${record.type} ${rdataText(record)}`);
  assert.deepEqual(lines, [
    'corp.example SOA ns.corp.example. root.corp.example. 1 10800 3600 604800 3600',
    'corp.example NS ns.corp.example.',
    'corp.example MX 5 a.corp.example.',
    'corp.example MX 6 b.corp.example.',
    '0.corp.example MX 7 c.corp.example.',
    '1H.corp.example MX 8 d.corp.example.',
    'mx.corp.example MX 9 e.corp.example.',
  ]);
});

test('lines may end in CRLF, and the last one in nothing', () => {
  assert.deepEqual(read('a.example. MX 1 b.example.\r\n MX 2 c.example.'), [
    mx('a.example', 1, 'b.example'),
    mx('a.example', 2, 'c.example'),
  ]);
});

const broken: readonly [text: string, message: string][] = [
  ['@ MX 10 mail', 'line 1: a relative name, and no origin: name the zone'],
  ['\n\na.example. MX 10', 'line 3: MX has 2 values, not 1'],
  ['; a\n\na.example. MX 10\n\n; b\n', 'line 3: MX has 2 values, not 1'],
  ['a.example. MX (\n 10\n )\n\n', 'lines 1 to 3: MX has 2 values, not 1'],
  ['a.example. MXX 10 mail.example.', 'line 1: MXX is no record type of class IN'],
  ['a.example. CH MX 10 mail.example.', 'line 1: CH is no record type of class IN'],
  ['a.example. TYPE15 \\# 4 000a0000', 'line 1: TYPE15 is no record type of class IN'],
  ['a.example. MX 65536 mail.example.', 'line 1: 65536 is no number up to 65535'],
  ['a.example. MX ten mail.example.', 'line 1: ten is no number up to 65535'],
  ['a.example. MX 10 a..b.', 'line 1: a..b. is no name'],
  ['a.example. MX 10 \\256.', 'line 1: \\256. is no name'],
  [' MX 10 a.example.', 'line 1: a record without an owner'],
  ['a.example. 300 IN', 'line 1: a record type is missing'],
  ['a.example. MX (10\nb.example.\n', 'lines 1 to 3: ")" is missing'],
  ['a.example. MX 10 b.example. )', 'line 1: ")" is out of place'],
  ['a.example. MX ((10 b.example.))', 'line 1: "(" is out of place'],
  ['a.example. TXT "no end\n', 'line 1: a string without its end'],
  ['$INCLUDE more', 'line 1: $INCLUDE is not followed here'],
  ['$GENERATE 1-10 a$ MX 10 b', 'line 1: $GENERATE is not followed here'],
  ['$TTL soon', 'line 1: soon is no time'],
  ['$ORIGIN a.example. b.example.', 'line 1: $ORIGIN has one value'],
  ['a.example. \u0001', 'line 1: a control character'],
  ['a.example. SOA a. b. 1 2 3 4 soon', 'line 1: soon is no time'],
  [`a.example. TXT ${'x '.repeat(10_001)}`, 'line 1: an entry of more than 10000 words'],
];

for (const [text, message] of broken)
  test(`refused with its line: ${message}`, () => {
    assert.throws(
      () => read(text),
      (error) => error instanceof Failure && error.kind === 'syntax' && error.message === message,
    );
  });

test('records as text.ts writes them are read again', () => {
  const label = fc.string({
    unit: fc.constantFrom('a', 'B', '0', '-', '\\.', '\\"', '\\032'),
    minLength: 1,
    maxLength: 9,
  });
  const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.nat(0xffff), name)), (rows) => {
      const records = rows.map(([owner, preference, exchange]) => mx(owner, preference, exchange));
      const text = records.map((record) => recordText({ ...record, class: 1, ttl: 300 })).join('\n');
      assert.deepEqual(read(text), records);
    }),
  );
});

test('whatever a file holds, it is read to its end or refused with a line', () => {
  const piece = fc.constantFrom(
    ...[
      '@',
      ' ',
      '\t',
      '\n',
      '\r\n',
      '(',
      ')',
      ';',
      '"',
      '\\',
      '\\000',
      '.',
      '$ORIGIN',
      '$TTL',
      'IN',
      'MX',
      'SOA',
      'NS',
    ],
    ...['10', 'a', 'a.example.', '1h', 'TYPE65535', '\u00ff', '\u0000', 'x'.repeat(64), 'y.'.repeat(130)],
  );
  const text = fc
    .array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 60 })
    .map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(text, fc.constantFrom(undefined, '.', 'corp.example'), (all, origin) => {
      try {
        read(all, origin);
      } catch (error) {
        assert.ok(
          error instanceof Failure && error.kind === 'syntax' && error.message.startsWith('line'),
          String(error),
        );
      }
    }),
    { numRuns: CASES },
  );
});

const values: readonly [type: WrittenType, text: string, canonical?: string][] = [
  ['A', '192.0.2.1'],
  ['AAAA', '2001:DB8:0::1', '2001:db8::1'],
  ['MX', '10 Mail.acme.example', '10 mail.acme.example.'],
  ['MX', ' 0\t. ', '0 .'],
  ['NS', '@', 'acme.example.'],
  ['CNAME', 'a\\.b.example.', 'a\\.b.example.'],
  ['PTR', 'host.example.', 'host.example.'],
  ['TXT', '"v=spf1 mx; \\"-all\\"" plain \\255', '"v=spf1 mx; \\"-all\\"" "plain" "\\255"'],
  ['TXT', '""'],
  ['SRV', '0 1 465 mail.acme.example.'],
  ['CAA', '0 ISSUE "letsencrypt.org; x=1"', '0 issue "letsencrypt.org; x=1"'],
  ['TLSA', '3 1 1 00FF 10', '3 1 1 00ff10'],
];

for (const [type, text, canonical = text] of values)
  test(`the value of a record: ${type} ${text}`, () => {
    const rdata = parseRdata(type, text, 'acme.example');
    assert.equal(rdataText(rdata), canonical);
    assert.deepEqual(parseRdata(type, canonical, 'acme.example'), rdata);
  });

const noValues: readonly [type: WrittenType, text: string][] = [
  ['A', '192.0.2'],
  ['A', '2001:db8::1'],
  ['A', '192.0.2.1 192.0.2.2'],
  ['A', ''],
  ['AAAA', 'fe80::1%eth0'],
  ['MX', 'mail.example'],
  ['MX', '65536 mail.example'],
  ['MX', '10 mail.example ; ours'],
  ['MX', '( 10 mail.example )'],
  ['MX', '10 a\nb'],
  ['NS', 'a..b'],
  ['NS', '"a.b"'],
  ['CNAME', 'x\\'],
  ['TXT', ''],
  ['TXT', 'v=DKIM1; p=abc'],
  ['TXT', '"open'],
  ['TXT', '"open\\"'],
  ['TXT', `"${'x'.repeat(256)}"`],
  ['TXT', '"\u00fc"'],
  ['TXT', '"\\256"'],
  ['TXT', '"a\nb"'],
  ['SRV', '0 1 mail.example'],
  ['SRV', '0 1 -1 mail.example'],
  ['CAA', '0 is-sue "x"'],
  ['CAA', '256 issue "x"'],
  ['TLSA', '3 1 1 0'],
  ['TLSA', '3 1 1 xx'],
  ['TLSA', '3 1 1'],
];

for (const [type, text] of noValues)
  test(`no value of a record: ${type} ${JSON.stringify(text).slice(0, 40)}`, () => {
    assert.throws(() => parseRdata(type, text, 'acme.example'), SyntaxFailure);
  });

test('whatever a value is, it is read or refused, and what is read is written and read again', () => {
  const types = fc.constantFrom<WrittenType[]>('A', 'AAAA', 'MX', 'NS', 'CNAME', 'TXT', 'SRV', 'CAA', 'TLSA', 'PTR');
  const part = fc.constantFrom(
    '0',
    '1',
    '10',
    'mail.acme.example',
    '@',
    '.',
    '"a b"',
    '\\046',
    'issue',
    'ff',
    ';',
    '"',
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(part, { maxLength: 6 }).map((parts) => parts.join(' ')),
  );
  fc.assert(
    fc.property(types, text, (type, value) => {
      let rdata: ReturnType<typeof parseRdata>;
      try {
        rdata = parseRdata(type, value, 'acme.example');
      } catch (error) {
        assert.ok(error instanceof SyntaxFailure, String(error));
        return;
      }
      assert.deepEqual(parseRdata(type, rdataText(rdata), 'acme.example'), rdata);
    }),
    { numRuns: CASES },
  );
});
