// SASLprep against RFC 4013's examples and against another implementation of the tables, Python's.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { peer } from '../../test/support/peers.ts';
import { saslprep } from './saslprep.ts';

const prepared = (text: string) => saslprep(Buffer.from(text))?.toString();

describe('SASLprep', () => {
  const examples: [given: string, made: string | undefined][] = [
    ['I\u00adX', 'IX'],
    ['user', 'user'],
    ['USER', 'USER'],
    ['\u00aa', 'a'],
    ['\u2168', 'IX'],
    ['\u0007', undefined],
    ['\u0627\u0031', undefined],
    // Not the RFC's.
    ['\u0627\u0031\u0628', '\u0627\u0031\u0628'],
    ['\u0627a\u0628', undefined],
    ['correct\u00a0horse', 'correct horse'],
    ['e\u0301', '\u00e9'],
    ['\u00ad', undefined],
    ['', undefined],
    ['\u{1f40e}', undefined],
    ['\u{1d7ca}', undefined],
    ['\ufffd', undefined],
    ['\u{2f868}', undefined],
  ];
  for (const [given, made] of examples) {
    it(`makes ${JSON.stringify(made)} of ${JSON.stringify(given)}`, () => assert.equal(prepared(given), made));
  }

  it('refuses what is no UTF-8', () => assert.equal(saslprep(Buffer.from([0xc3, 0x28])), undefined));

  const python = peer('python3');
  it('agrees with Python on each code point that Unicode 3.2 could have, and on strings of them', {
    skip: python.skip,
  }, () => {
    const texts: string[] = [];
    for (let point = 1; point <= 0x10ffff; point++) {
      // Beyond the first plane Unicode 3.2 has characters in these blocks, Han and private use apart.
      const block = point >> 12;
      const isOfUse = block < 0x11 || [0x1d, 0x2f, 0xe0].includes(block) || point % 0x1000 === 0;
      const isCorrected = [0x2f868, 0x2f874, 0x2f91f, 0x2f95f, 0x2f9bf].includes(point);
      if (isOfUse && !isCorrected && !(point >= 0xd800 && point <= 0xdfff)) texts.push(String.fromCodePoint(point));
    }
    const awkward = fc.constantFrom(
      ...'aA1 ,=\u00a0\u00ad\u00aa\u0301\u0627\u0628\u05d0\u200b\u200e\u2168\u3000\uff21\u0221',
    );
    const mixed = fc.string({ unit: fc.oneof(awkward, fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })) });
    texts.push(...fc.sample(mixed, 3000));
    const answer = spawnSync(python.path, ['-c', JUDGE], {
      input: texts.map((text) => Buffer.from(text).toString('hex')).join('\n'),
      maxBuffer: 1 << 28,
      encoding: 'utf8',
    });
    assert.equal(answer.status, 0, answer.stderr);
    const judged = answer.stdout.split('\n');
    for (const [at, text] of texts.entries()) {
      const ours = saslprep(Buffer.from(text))?.toString('hex') ?? '-';
      if (ours !== judged[at]) assert.equal(ours, judged[at], `of ${Buffer.from(text).toString('hex')}`);
    }
  });
});

/** A line of hexadecimal UTF-8 in, the prepared one or `-` out. */
const JUDGE = `
import sys, stringprep as s
from unicodedata import ucd_3_2_0 as ucd
forbidden = (s.in_table_c12, s.in_table_c21_c22, s.in_table_c3, s.in_table_c4, s.in_table_c5, s.in_table_c6,
             s.in_table_c7, s.in_table_c8, s.in_table_c9)
def prepare(text):
    if any(s.in_table_a1(c) for c in text): return None
    text = ''.join(' ' if s.in_table_c12(c) else c for c in text if s.in_table_c12(c) or not s.in_table_b1(c))
    text = ucd.normalize('NFKC', text)
    if not text or any(f(c) for c in text for f in forbidden): return None
    right = [s.in_table_d1(c) for c in text]
    if any(right) and not (right[0] and right[-1] and not any(s.in_table_d2(c) for c in text)): return None
    return text
for line in sys.stdin.read().split('\\n'):
    made = prepare(bytes.fromhex(line).decode())
    print('-' if made is None else made.encode().hex())
`;
