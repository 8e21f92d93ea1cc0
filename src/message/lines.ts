// Lines of the parts of a message, all counted in one pass over the bytes, however the parts lie in each other.

import type { Part } from './part.ts';

type Counted = { -readonly [K in keyof Part]: K extends 'parts' ? Counted[] : Part[K] };

/** Sets `lines` of each text and message/rfc822 part in the tree: the line feeds in its body. RFC 3501 §7.4.2 */
export function countLines(bytes: Buffer, root: Counted): void {
  if (root.parts.length === 0) {
    if (hasLines(root)) root.lines = countLineFeeds(bytes, root.bodyStart, root.bodyEnd);
    return;
  }
  const counted: Counted[] = [];
  const open = [root];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    if (hasLines(part)) counted.push(part);
    for (const inner of part.parts) open.push(inner);
  }
  // Messages contain parts that are counted too: between two borders each byte is looked at once, and what
  // lies in no counted part (attachments) never.
  const borders = counted.flatMap((part) => [
    { at: part.bodyStart, step: 1 },
    { at: part.bodyEnd, step: -1 },
  ]);
  borders.sort((a, b) => a.at - b.at);
  const linesBefore = new Map<number, number>();
  let covering = 0;
  let total = 0;
  let from = 0;
  for (const { at, step } of borders) {
    if (covering > 0 && at > from) total += countLineFeeds(bytes, from, at);
    from = at;
    covering += step;
    linesBefore.set(at, total);
  }
  for (const part of counted) part.lines = linesBefore.get(part.bodyEnd)! - linesBefore.get(part.bodyStart)!;
}

function hasLines(part: Counted): boolean {
  return part.type === 'text' || part.header !== undefined;
}

/** Line feeds without a carriage return in front: as many octets more has the message where lines end in CRLF. */
export function countBareLineFeeds(bytes: Buffer): number {
  let count = 0;
  for (let from = 0; from < bytes.length; from += CHUNK) {
    const text = bytes.toString('latin1', from, from + CHUNK);
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1))
      if (bytes[from + at - 1] !== 0x0d) count++;
  }
  return count;
}

const CHUNK = 65_536;
/** Below this many bytes a line, looking at each byte is cheaper than searching. */
const SHORT_LINE = 16;

export function countLineFeeds(bytes: Buffer, start: number, end: number): number {
  let lines = 0;
  let isShortLined = false;
  for (let from = start; from < end; from += CHUNK) {
    const to = Math.min(end, from + CHUNK);
    const before = lines;
    lines += isShortLined ? countByByte(bytes, from, to) : countBySearch(bytes.toString('latin1', from, to));
    isShortLined = (lines - before) * SHORT_LINE > to - from;
  }
  return lines;
}

function countBySearch(text: string): number {
  let lines = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++;
  return lines;
}

function countByByte(bytes: Buffer, start: number, end: number): number {
  let lines = 0;
  for (let at = start; at < end; at++) if (bytes[at] === 0x0a) lines++;
  return lines;
}
