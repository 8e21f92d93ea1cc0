// Messages by number, for tests of the canonical form: the same number is the same message, here and in make-oracle.mjs.
//
// What they lack on purpose: a lone CR, which no client may send; the octets 0B, 0C and A0 in fields, which mailauth takes for white
// space, as RFC 6376 does not; white space at the end of a body without a last line break, which mailauth leaves there.

/** mulberry32 */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const NAMES = ['From', 'To', 'CC', 'subject', 'Date', 'Message-ID', 'Reply-To', 'X-Odd_1', 'list-id', 'MIME-Version'];
const WORDS = ['a', 'ann@acme.example', '=', 'Grüße', ':', ';', '"x  y"', '(c)', '<i@d>', '世', '--', '.', 'b='];
const BLANKS = [' ', '  ', '\t', ' \t ', '\t\t'];
const BREAKS = ['\r\n', '\r\n', '\r\n', '\n'];

/** Bytes with a header, an empty line and a body. */
export function numberedMessage(number: number): Buffer {
  const below = numbers(number);
  const pick = (from: readonly string[]): string => from[below(from.length)]!;
  const end = (): string => (number % 3 === 0 ? pick(BREAKS) : '\r\n');
  let text = '';
  for (let fields = 1 + below(6); fields > 0; fields--) {
    text += `${pick(NAMES)}${below(8) === 0 ? pick(BLANKS) : ''}:${below(4) === 0 ? '' : pick(BLANKS)}`;
    for (let words = below(6); words > 0; words--) {
      text += pick(WORDS);
      const gap = below(4);
      if (gap === 0) text += `${end()}${pick(BLANKS)}`;
      else if (gap === 1) text += `${pick(BLANKS)}${end()}${pick(BLANKS)}`;
      else text += pick(BLANKS);
    }
    text += end();
  }
  text += end();
  for (let lines = below(12); lines > 0; lines--) {
    for (let words = below(7); words > 0; words--) text += below(3) === 0 ? pick(BLANKS) : pick(WORDS);
    if (below(40) === 0) text += 'long '.repeat(3000);
    text += end().repeat(below(9) === 0 ? 1 + below(9) : 1);
  }
  if (below(5) === 0) text += pick(WORDS);
  return Buffer.from(text);
}

/** So many messages make a line of oracle.txt. */
export const ORACLE_LINE = 100;
