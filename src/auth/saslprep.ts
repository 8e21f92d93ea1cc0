// SASLprep: a password in the one form that client and server make keys from, however it was typed.
//
// In      octets as they were sent
// Out     the prepared text in octets; undefined where there is none: no UTF-8, a character that Unicode 3.2 does not have,
//         a prohibited one, directions mixed, nothing left
// Limits  as long as the caller lets a password be
// Never   prepares a query string: what is not assigned is refused, because what comes out is stored
// RFC 4013, RFC 3454 §6, §7

import { isAscii, isUtf8 } from 'node:buffer';
import {
  LEFT_TO_RIGHT,
  MAPPED_TO_NOTHING,
  NON_ASCII_SPACE,
  PROHIBITED,
  RIGHT_TO_LEFT,
  UNASSIGNED,
} from './saslprep-tables.ts';

/** First and last code points of ranges, in turn. */
type Ranges = readonly number[];

interface Tables {
  readonly unassigned: Ranges;
  readonly nothing: Ranges;
  readonly space: Ranges;
  readonly prohibited: Ranges;
  readonly rightToLeft: Ranges;
  readonly leftToRight: Ranges;
}

/** Read when the first password needs them: most are ASCII. */
let read: Tables | undefined;

function tables(): Tables {
  read ??= {
    unassigned: rangesOf(UNASSIGNED),
    nothing: rangesOf(MAPPED_TO_NOTHING),
    space: rangesOf(NON_ASCII_SPACE),
    prohibited: rangesOf(PROHIBITED),
    rightToLeft: rangesOf(RIGHT_TO_LEFT),
    leftToRight: rangesOf(LEFT_TO_RIGHT),
  };
  return read;
}

export function saslprep(password: Uint8Array): Buffer | undefined {
  if (password.length === 0 || !isUtf8(password)) return undefined;
  const octets = Buffer.from(password);
  if (isAscii(octets)) return octets.every((octet) => octet >= 0x20 && octet !== 0x7f) ? octets : undefined;
  const mapped = map(octets.toString('utf8'));
  // Later versions of Unicode normalize what 3.2 has as 3.2 did, CORRECTED apart.
  const prepared = mapped?.normalize('NFKC');
  return prepared === undefined || prepared === '' || !isAllowed(prepared) ? undefined : Buffer.from(prepared, 'utf8');
}

/** Ideographs whose normalization was corrected after Unicode 3.2: clients do not agree about them. */
const CORRECTED: ReadonlySet<number> = new Set([0x2f868, 0x2f874, 0x2f91f, 0x2f95f, 0x2f9bf]);

/** Undefined where a character is not assigned in Unicode 3.2, or normalized in two ways. */
function map(text: string): string | undefined {
  const { unassigned, nothing, space } = tables();
  let mapped = '';
  for (const character of text) {
    const point = character.codePointAt(0)!;
    if (isIn(unassigned, point) || CORRECTED.has(point)) return undefined;
    if (isIn(space, point)) mapped += ' ';
    else if (!isIn(nothing, point)) mapped += character;
  }
  return mapped;
}

function isAllowed(text: string): boolean {
  const { prohibited, rightToLeft, leftToRight } = tables();
  const points = Array.from(text, (character) => character.codePointAt(0)!);
  if (points.some((point) => isIn(prohibited, point))) return false;
  if (!points.some((point) => isIn(rightToLeft, point))) return true;
  // RFC 3454 §6: text from right to left begins and ends so, and has nothing from left to right.
  const isFramed = isIn(rightToLeft, points[0]!) && isIn(rightToLeft, points.at(-1)!);
  return isFramed && !points.some((point) => isIn(leftToRight, point));
}

function rangesOf(text: string): Ranges {
  return text.split(' ').flatMap((range) => {
    const [first, last = first] = range.split('-');
    return [Number.parseInt(first!, 16), Number.parseInt(last!, 16)];
  });
}

/** The last range that begins at `point` or before it holds it, or none does. */
function isIn(ranges: Ranges, point: number): boolean {
  let low = 0;
  let high = ranges.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[2 * middle]! <= point) low = middle + 1;
    else high = middle;
  }
  return low > 0 && point <= ranges[2 * low - 1]!;
}
