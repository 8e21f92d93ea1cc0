import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { openCharset, readsAs } from './charset.ts';

function decode(charset: string, octets: Uint8Array | string): string | undefined {
  const stream = openCharset(charset);
  if (stream === undefined) return undefined;
  const bytes = typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets;
  const text = stream.decode(bytes.subarray(0, 3)) + stream.decode(bytes.subarray(3));
  return text + stream.end();
}

test('a charset is found by every name it has, in any case and with any punctuation', () => {
  const names: readonly [octets: string, text: string, ...names: string[]][] = [
    ['\x82\xb1\x82\xf1', 'こん', 'cp932', 'Windows-31J', 'MS932', 'ms_kanji', 'csShiftJIS', 'shift_jis_2004', 'x-sjis'],
    ['caf\x82', 'café', 'cp437', 'IBM437', '437', 'csPC8CodePage437', 'ibm-437', 'cp850', 'IBM850'],
    ['caf\xe9', 'café', 'ISO_8859-1:1987', 'latin1', 'L1', 'csISOLatin1', 'cp819', 'IBM819', 'iso8859-1', '8859'],
    ['\xc3\xa9', 'é', 'utf8', 'UTF-8', 'U8', 'cp65001', 'utf_8', 'csUTF8', 'x-utf-8'],
    ['\xcf\xd2\xc9', 'ори', 'koi8-r', 'KOI8_R', 'csKOI8R', 'cp20866'],
    ['\xa4\xe5', 'Λε', 'mac_greek', 'MacGreek', 'cp10006'],
    ['\xc1\xc2\xf1', 'AB1', 'cp037', 'IBM037', 'ebcdic-cp-us', 'csIBM037', 'cp500', 'IBM1047', 'cp1140'],
    ['[\\]', 'ÄÖÜ', 'DIN_66003', 'iso-ir-21', 'ISO646-DE', 'csISO21German'],
    ['\xc6\xf1', 'óþ', 'hp-roman8', 'r8', 'csHPRoman8'],
    ['\xb0\xa1', '가', 'ks_c_5601-1987', 'euc-kr', 'cp949', 'uhc', 'korean', 'csKSC56011987'],
    ['\xd6\xd0', '中', 'gb2312', 'GB_2312-80', 'cp936', 'gbk', 'gb18030', 'csGB2312', 'chinese'],
    ['\xa4\xa4', '中', 'big5', 'csBig5', 'big5-hkscs', 'cp950'],
  ];
  for (const [octets, text, ...all] of names) for (const name of all) assert.equal(decode(name, octets), text, name);
});

test('US-ASCII by any name, and what nobody knows, say nothing', () => {
  for (const name of [
    '',
    'us-ascii',
    'ASCII',
    'ANSI_X3.4-1968',
    '646',
    'x-unknown',
    'unknown-8bit',
    '__proto__',
    'constructor',
  ])
    assert.equal(openCharset(name), undefined, name);
});

test('sets that TextDecoder does not know', () => {
  const cases: readonly [charset: string, octets: string, text: string][] = [
    ['utf-7', 'caf+AOk- menu', 'café menu'],
    ['UTF-7', 'a+-b +2D3eAA-. +AOk', 'a+b 😀. é'],
    ['utf-7', '+', '+'],
    ['utf-7', 'x+AOk\r\ny', 'xé\r\ny'],
    ['unicode-1-1-utf-7', '+ZeVnLIqe-', '日本語'],
    ['hz-gb-2312', 'a~{VPND~}b~~', 'a中文b~'],
    ['iso-2022-kr', '\x1b$)C\x0e0!\x0fa', '가a'],
    ['iso-2022-cn', '\x1b$)A\x0eVP\x0fa', '中a'],
    ['johab', '\x88a', '가'],
    ['utf-16', '\xfe\xff\x00a\x00\xe9', 'aé'],
    ['utf-16', 'a\0\xe9\0', 'aé'],
    ['utf-16be', '\0a\0\xe9', 'aé'],
    ['utf-32', '\0\0\xfe\xff\0\x01\xf6\0', '😀'],
    ['utf-32le', '\0\xf6\x01\0', '😀'],
    ['iso-2022-jp-2', '\x1b$B$3$s\x1b(B', 'こん'],
  ];
  for (const [charset, octets, text] of cases) assert.equal(decode(charset, octets), text, charset);
});

test('undeclared octets are UTF-8 when they are that, also where a body was cut', () => {
  const cases: readonly [octets: string, charset: string][] = [
    ['', 'utf-8'],
    ['plain', 'utf-8'],
    ['Stra\xc3\x9fe', 'utf-8'],
    ['Stra\xdfe', 'windows-1252'],
    ['Stra\xc3\x9fe \xe2\x82', 'utf-8'],
    ['caf\xe9', 'windows-1252'],
    ['\x80\x80\x80\x80', 'windows-1252'],
  ];
  for (const [octets, charset] of cases) assert.equal(readsAs(Buffer.from(octets, 'latin1')), charset, octets);
});

test('property: UTF-7 gives back what a plain encoder made', () => {
  const encode = (text: string): string => {
    let coded = '';
    for (const run of text.match(/[a-z ]+|[^a-z ]+/g) ?? [])
      coded += /^[a-z ]/.test(run)
        ? run
        : `+${Buffer.from(run, 'utf16le').swap16().toString('base64').replace(/=+$/, '')}-`;
    return coded;
  };
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', 'z', ' ', 'é', '日', '😀', '+', '-') }), (text) => {
      assert.equal(decode('utf-7', encode(text)), text);
    }),
  );
});

test('property: any octets in any set are read, and every octet of a table is one character', () => {
  const names = ['utf-7', 'hz', 'iso-2022-kr', 'iso-2022-cn', 'johab', 'utf-16', 'utf-32', 'cp437', 'cp037', 'viscii'];
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.uint8Array({ maxLength: 200 }), (name, octets) => {
      const text = decode(name, octets)!;
      assert.ok(text.isWellFormed());
      if (name.startsWith('cp')) assert.equal(text.length, octets.length);
    }),
    { numRuns: 1000 },
  );
});
