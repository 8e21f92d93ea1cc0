// A rewrite rule's pattern: which addresses it is for, by their domain.
//
//     $*                     all, before anything else is asked
//     acme.example           that domain
//     *.acme.example         one label for each `*.`, which stand on the left only
//     .acme.example          every domain below it, not itself
//     .                      all
//     [192.0.2.7]  [192.0.2.]  [192.0.]  [192.]  [IPv6:2001:db8::1]  []     address literals: this one, those that begin so, all
//
// In      text
// Out     the pattern in the one spelling under which probe.ts looks for it, or a Failure with the column

import { isIPv4 } from 'node:net';
import { ALNUM, DIGIT } from '../../base/characters.ts';
import { Cursor } from '../../base/cursor.ts';
import { tryParseDomain } from '../../message/address.ts';
import { columnFailure } from './column-failure.ts';

export const PATTERN_CHARACTERS = 1000;
/** Before all else. */
export const INITIAL = '$*';
/** After all else. */
export const ANY = '.';

const NAME = ALNUM.slice();
for (const c of '-_') NAME[c.charCodeAt(0)] = 1;

/** Throws Failure('syntax'). */
export function parsePattern(text: string): string {
  if (text.length > PATTERN_CHARACTERS)
    throw columnFailure(PATTERN_CHARACTERS + 1, `a pattern has at most ${PATTERN_CHARACTERS} characters`);
  if (text === INITIAL || text === ANY) return text;
  if (text.startsWith('[')) return literalPattern(text);
  const cursor = new Cursor(text);
  if (text.startsWith('$')) throw columnFailure(1, 'the only pattern with $ is $*');
  if (cursor.tryTake('.')) return `.${name(cursor)}`;
  let wild = '';
  while (cursor.tryTake('*')) {
    wild += '*';
    if (cursor.atEnd) return wild;
    if (!cursor.tryTake('.')) throw columnFailure(cursor.at + 1, 'expected a dot: * is one label');
    wild += '.';
  }
  return `${wild}${name(cursor)}`;
}

/** To the end of the text. */
function name(cursor: Cursor): string {
  const start = cursor.at;
  for (;;) {
    const label = cursor.at;
    const { length } = cursor.run(NAME);
    if (length === 0 && cursor.peek() === 0x2a) throw columnFailure(cursor.at + 1, '* stands left of all labels only');
    if (length === 0) throw columnFailure(cursor.at + 1, 'expected a label');
    if (length > 63) throw columnFailure(label + 64, 'a label has at most 63 characters');
    if (cursor.atEnd) break;
    if (!cursor.tryTake('.')) throw columnFailure(cursor.at + 1, 'expected a dot or the end of the pattern');
  }
  const text = cursor.text.slice(start);
  const domain = tryParseDomain(text);
  if (domain === undefined) throw columnFailure(start + 1, 'this is not the name of a domain');
  return domain;
}

function literalPattern(text: string): string {
  const domain = text === '[]' ? text : tryParseDomain(text);
  return domain ?? partialLiteral(text);
}

/** `[192.0.2.]` */
function partialLiteral(text: string): string {
  const cursor = new Cursor(text, 1);
  for (let octets = 0; octets < 3; octets++) {
    const start = cursor.at;
    const octet = cursor.run(DIGIT, 4);
    if (octet === '' && cursor.tryTake(']') && octets > 0 && cursor.atEnd) return text;
    if (!isIPv4(`${octet}.0.0.0`)) throw notALiteral(start);
    if (!cursor.tryTake('.')) throw notALiteral(cursor.at);
  }
  if (cursor.tryTake(']') && cursor.atEnd) return text;
  throw notALiteral(Math.min(cursor.at, text.length));
}

function notALiteral(at: number): Error {
  return columnFailure(at + 1, 'this is no address literal, nor the beginning of one with a dot at its end');
}

/**
 * Patterns in an order in which every domain finds its own in the order of its probes: `$*`, names and literals by how much
 * they say, `.`.
 */
export function comparePatterns(a: string, b: string): number {
  return weight(b) - weight(a) || (a < b ? -1 : a > b ? 1 : 0);
}

function weight(pattern: string): number {
  if (pattern === INITIAL) return Number.POSITIVE_INFINITY;
  if (pattern === ANY) return 0;
  // The patterns of one literal are its beginnings.
  if (pattern.startsWith('[')) return pattern.length;
  const labels = pattern.split('.').filter((label) => label !== '' && label !== '*').length;
  return 3 * labels + (pattern.startsWith('.') ? 1 : pattern.startsWith('*') ? 2 : 3);
}
