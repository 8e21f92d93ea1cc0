// The addresses that a wildcard stands for, as this machine's interfaces have them now.
//
// In      `0.0.0.0` or `::`; what the system says of its interfaces
// Out     addresses to bind, loopback among them. Not those of one link alone (fe80::/10): nobody is told them

import { networkInterfaces } from 'node:os';

export function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** `::` stands for IPv4 too, unless it is for IPv6 only. */
export function addressesFor(wildcard: string, ipv6Only: boolean): readonly string[] {
  const families = wildcard === '0.0.0.0' ? ['IPv4'] : ipv6Only ? ['IPv6'] : ['IPv4', 'IPv6'];
  const found = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ family, scopeid }) => families.includes(family) && (scopeid ?? 0) === 0)
    .map(({ address }) => address);
  return [...new Set(found)];
}
