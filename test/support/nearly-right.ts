// Input that is nearly right: what a parser is fed with that reads what others wrote.
//
// In      seeds that are right, or have once been found to be wrong; FUZZ_CASES: how many cases, `npm run fuzz` says a million
// Out     texts or octets, each a seed with some changes: characters are others, cut out, doubled, put in; another seed goes on
//         where this one was cut; a number is larger
// Limits  a seed and SHORT characters; one in a thousand of many cases is as long as LONG, so that what takes the square of its
//         input's length is noticed

import fc from 'fast-check';

const LONG = 256 * 1024;
const SHORT = 4096;
const CHANGES_MAX = 4;
const { FUZZ_CASES } = process.env;
const MANY = FUZZ_CASES !== undefined && Number(FUZZ_CASES) >= 100_000;

/** For `fc.assert`. */
export function fuzzCases(usual: number): { readonly numRuns: number } {
  return { numRuns: Number(FUZZ_CASES ?? usual) };
}

/** Ends, signs that mean something in some grammar, and what is beyond it. */
const OCTETS = [
  ...'\0\x01\t\n\r "#$%&\'()*+,-./:;<=>?@[\\]{|}~\x7f\x80\xc0\xff',
  '\r\n',
  '\r\n.\r\n',
  '""',
  '\xff\xff',
];
const CHARACTERS = [...OCTETS.slice(0, -1), 'ü', '\u2028', '\u{1f4ee}', '\ufeff', 'İ', 'ß'];
const NUMBERS = [
  '0',
  '-1',
  '00',
  '255',
  '256',
  '65536',
  '2147483648',
  '4294967295',
  '9007199254740993',
  '9'.repeat(30),
];

type Change = readonly [kind: number, at: number, more: number];

/** No half of a pair stands alone: no door lets such a text in. */
export function mutatedText(seeds: readonly string[]): fc.Arbitrary<string> {
  return mutated(seeds, CHARACTERS).map((text) => text.toWellFormed());
}

export function mutatedOctets(seeds: readonly (Uint8Array | string)[]): fc.Arbitrary<Buffer> {
  const texts = seeds.map((seed) => Buffer.from(seed as Uint8Array).toString('latin1'));
  return mutated(texts, OCTETS).map((text) => Buffer.from(text, 'latin1'));
}

function mutated(seeds: readonly string[], characters: readonly string[]): fc.Arbitrary<string> {
  const place = fc.nat(0xffff);
  const change = fc.tuple(fc.nat(9), place, place);
  return fc
    .tuple(fc.nat(seeds.length - 1), fc.array(change, { maxLength: CHANGES_MAX }))
    .map(([seed, changes]) => changes.reduce((text, each) => changed(text, each, { seeds, characters }), seeds[seed]!));
}

function changed(
  text: string,
  [kind, place, more]: Change,
  { seeds, characters }: { readonly seeds: readonly string[]; readonly characters: readonly string[] },
): string {
  const at = place % (text.length + 1);
  const before = text.slice(0, at);
  const rest = text.slice(at);
  switch (kind) {
    case 0:
      return before + characters[more % characters.length]! + rest;
    case 1:
      return before + characters[more % characters.length]! + rest.slice(1);
    case 2:
      return before + rest.slice(1 + (more % 8));
    case 3:
      return before;
    case 4:
      return repeated(before, rest, more);
    case 5: {
      const other = seeds[more % seeds.length]!;
      return before + other.slice(more % (other.length + 1));
    }
    case 6:
      return before + withNumber(rest, NUMBERS[more % NUMBERS.length]!);
    case 7:
      return before + String.fromCharCode(more & 0xff) + rest.slice(1);
    case 8:
      // One bit of one octet.
      return before + String.fromCharCode((rest.charCodeAt(0) || 0) ^ (1 << (more & 7))) + rest.slice(1);
    default:
      // In the other case.
      return before + otherCase(rest.slice(0, 1 + (more % 8))) + rest.slice(1 + (more % 8));
  }
}

/** A few of what follows, several times. */
function repeated(before: string, rest: string, more: number): string {
  const some = rest.slice(0, 1 + (more % 16));
  if (some === '') return before;
  const most = MANY && more % 251 === 97 ? LONG : SHORT;
  const wanted = most === LONG ? Number.POSITIVE_INFINITY : 1 + (more >> 9);
  return before + some.repeat(Math.min(wanted, Math.floor(most / some.length))) + rest;
}

/** The first one behind here is another. */
function withNumber(text: string, number: string): string {
  let at = 0;
  while (at < text.length && !isDigit(text, at)) at++;
  let end = at;
  while (isDigit(text, end)) end++;
  return text.slice(0, at) + number + text.slice(end);
}

function isDigit(text: string, at: number): boolean {
  return text.charCodeAt(at) >= 0x30 && text.charCodeAt(at) <= 0x39;
}

function otherCase(text: string): string {
  const upper = text.toUpperCase();
  return text === upper ? text.toLowerCase() : upper;
}

/** In how large pieces something comes. */
export const pieceSizes: fc.Arbitrary<readonly number[]> = fc.array(fc.integer({ min: 1, max: 40 }), {
  minLength: 1,
  maxLength: 6,
});

/** In pieces of these sizes, one after the other and again; a long text has larger ones. */
export function inPieces(octets: Buffer, sizes: readonly number[]): Buffer[] {
  const factor = Math.ceil(octets.length / 2000);
  const pieces: Buffer[] = [];
  for (let at = 0, next = 0; at < octets.length; next++) {
    const size = sizes[next % sizes.length]! * factor;
    pieces.push(octets.subarray(at, at + size));
    at += size;
  }
  return pieces;
}
