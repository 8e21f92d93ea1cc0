// IPv4 and IPv6 addresses between octets and text. RFC 5952 for the text of IPv6; RFC 4291 §2.2 for what is read.

import { isIPv4, isIPv6 } from 'node:net';
import { SyntaxFailure } from '../../base/cursor.ts';

export function ipv4Text(octets: Uint8Array): string {
  return `${octets[0]}.${octets[1]}.${octets[2]}.${octets[3]}`;
}

/** Throws a SyntaxFailure. */
export function ipv4Octets(text: string): Uint8Array {
  if (!isIPv4(text)) throw new SyntaxFailure('an IPv4 address', 0);
  return Uint8Array.from(text.split('.'), Number);
}

/** RFC 5952 §4: lower case, no leading zeros, the longest run of zero groups (two at least, the first of equals) as `::`. */
export function ipv6Text(octets: Uint8Array): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((octets[i]! << 8) | octets[i + 1]!);
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > length) {
      start = i;
      length = end - i;
    }
    if (end > i) i = end;
  }
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return start < 0 ? text(0, 8) : `${text(0, start)}::${text(start + length, 8)}`;
}

/** Throws a SyntaxFailure, also for an address with a zone (`fe80::1%eth0`): that means nothing to another host. */
export function ipv6Octets(text: string): Uint8Array {
  if (!isIPv6(text) || text.includes('%')) throw new SyntaxFailure('an IPv6 address', 0);
  const [head, tail] = text.split('::');
  const before = groupOctets(head!);
  const after = tail === undefined ? [] : groupOctets(tail);
  const octets = new Uint8Array(16);
  octets.set(before, 0);
  octets.set(after, 16 - after.length);
  return octets;
}

/** Groups between colons; the last may be an IPv4 address. */
function groupOctets(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return [...ipv4Octets(group)];
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
