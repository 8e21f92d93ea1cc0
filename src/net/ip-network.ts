// IP addresses bit by bit, and networks as what the bits of their addresses begin with: whether an address lies in a
// network is whether one text begins with the other.
//
// In      an address as the kernel or a person writes it; `net/bits` or `net/mask`
// Out     `4` or `6` and the bits; undefined for what is neither
// An IPv4 address that is mapped into IPv6 is the IPv4 address. Bits of a network behind its length mean nothing.
// RFC 4291 §2.2 §2.5.5.2, RFC 4632 §3.1

import { isIPv4, isIPv6 } from 'node:net';

const MAPPED = `6${'0'.repeat(80)}${'1'.repeat(16)}`;
const MASK = /^1*0*$/;

/** A zone (`fe80::1%eth0`) is left out: it names an interface of this host. */
export function addressBits(text: string): string | undefined {
  const zone = text.indexOf('%');
  const bits = literalBits(zone < 0 ? text : text.slice(0, zone));
  return bits && unmapped(bits);
}

/** Of an address alone too, which is a network of one. */
export function networkBits(text: string): string | undefined {
  const slash = text.indexOf('/');
  const net = literalBits(slash < 0 ? text : text.slice(0, slash));
  if (net === undefined) return undefined;
  const length = slash < 0 ? net.length - 1 : prefixLength(text.slice(slash + 1), net);
  return length === undefined ? undefined : unmapped(net.slice(0, 1 + length));
}

/** What `isWithin` takes; what is no network is left out. */
export function networksOf(texts: readonly string[]): readonly string[] {
  return texts.map(networkBits).filter((network) => network !== undefined);
}

export function isWithin(address: string, networks: readonly string[]): boolean {
  const bits = addressBits(address);
  return bits !== undefined && networks.some((network) => bits.startsWith(network));
}

function prefixLength(text: string, net: string): number | undefined {
  const most = net.length - 1;
  if (String(Number(text)) === text && Number.isInteger(Number(text)))
    return Number(text) >= 0 && Number(text) <= most ? Number(text) : undefined;
  const mask = literalBits(text);
  if (mask === undefined || mask[0] !== net[0] || !MASK.test(mask.slice(1))) return undefined;
  return mask.slice(1).lastIndexOf('1') + 1;
}

function unmapped(bits: string): string {
  return bits.startsWith(MAPPED) ? `4${bits.slice(MAPPED.length)}` : bits;
}

function literalBits(text: string): string | undefined {
  if (isIPv4(text)) return `4${text.split('.').map(octetBits).join('')}`;
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const [head, tail] = text.split('::').map(groupBits);
  return tail === undefined ? `6${head}` : `6${head}${'0'.repeat(128 - head!.length - tail.length)}${tail}`;
}

/** Groups of four digits, the last two perhaps as an IPv4 address. */
function groupBits(text: string): string {
  if (text === '') return '';
  return text
    .split(':')
    .map((group) =>
      isIPv4(group) ? literalBits(group)!.slice(1) : Number.parseInt(group, 16).toString(2).padStart(16, '0'),
    )
    .join('');
}

function octetBits(text: string): string {
  return Number(text).toString(2).padStart(8, '0');
}
