// Where a target of a channel to other hosts goes: a domain, by its MX, or hosts that are named.
//
//   destination = domain / hop *("," hop)            at most HOPS_MAX hops
//   hop         = "[" (name / IPv4 / IPv6 / "IPv6:" IPv6) "]" [":" port]
//
// In      text, from a row, an entry or a queue row
// Out     what it names; undefined for anything else. Printed again it is in one spelling, so that equal ones compare as text
// Limits  HOPS_MAX hops, DESTINATION_LENGTH characters
// RFC 5321 §4.1.3 (address literals)

import { isIP } from 'node:net';
import { asciiLower } from '../base/characters.ts';
import { formatAddressLiteral, literalAddress, normalizeDomain } from '../message/address.ts';

export const HOPS_MAX = 10;
/** Ten names of the longest kind with their ports. */
const DESTINATION_LENGTH = HOPS_MAX * 262;

/** One host. */
export interface Hop {
  /** A name in lower case, whose A and AAAA records count, or an IP address without brackets. */
  readonly host: string;
  /** Undefined: what the host's entry, or the channel, says. */
  readonly port: number | undefined;
}

/** Text without brackets is a domain as SMTP writes it, whatever it is: its MX records say whether it can be reached. */
export type Destination = { readonly domain: string } | { readonly hops: readonly Hop[] };

export function parseDestination(text: string): Destination | undefined {
  if (text === '' || text.length > DESTINATION_LENGTH) return undefined;
  if (!text.startsWith('[')) return { domain: text };
  const parts = text.split(',', HOPS_MAX + 1);
  if (parts.length > HOPS_MAX) return undefined;
  const hops: Hop[] = [];
  for (const part of parts) {
    const hop = part.startsWith('[') ? parseHop(part) : undefined;
    if (hop === undefined) return undefined;
    hops.push(hop);
  }
  return { hops };
}

/** A hop as people write it: the brackets of a name may be left out. */
export function parseHop(text: string): Hop | undefined {
  const end = text.startsWith('[') ? text.indexOf(']') + 1 : colonOrEnd(text);
  if (end === 0) return undefined;
  const port = text.length === end ? undefined : parsePort(text.slice(end));
  if (Number.isNaN(port)) return undefined;
  const host = text.startsWith('[') ? bracketed(text.slice(0, end)) : normalizeDomain(text.slice(0, end));
  return host === undefined ? undefined : { host, port };
}

/** An address without brackets has more than one colon, or is no name: neither is a hop. */
function colonOrEnd(text: string): number {
  const colon = text.indexOf(':');
  return colon < 0 ? text.length : colon;
}

function bracketed(text: string): string | undefined {
  const address = literalAddress(text) ?? '';
  return isIP(address) === 0 ? normalizeDomain(text.slice(1, -1)) : asciiLower(address);
}

/** Behind a colon; NaN for what is no port. */
function parsePort(text: string): number {
  const digits = text.slice(1);
  if (text[0] !== ':' || digits.length === 0 || digits.length > 5) return Number.NaN;
  for (const digit of digits) if (digit < '0' || digit > '9') return Number.NaN;
  const port = Number(digits);
  return port >= 1 && port <= 65_535 ? port : Number.NaN;
}

/** As parseDestination reads it. */
export function formatHops(hops: readonly Hop[]): string {
  return hops
    .map(({ host, port }) => {
      const name = isIP(host) === 0 ? `[${host}]` : formatAddressLiteral(host);
      return port === undefined ? name : `${name}:${port}`;
    })
    .join(',');
}

/** As a destination. */
export function hopsTo(hosts: readonly string[]): string {
  return formatHops(hosts.map((host) => ({ host, port: undefined })));
}
