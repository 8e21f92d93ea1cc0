// A zone of another server whose mail domains are ours by its MX records: `cn=ZONE,ou=Sources`, and the mark of its entries.
//
// In      an entry; text from a command line
// Out     the source: its zone, and the servers that have it
// Limits  SERVERS_MAX servers

import { isIP } from 'node:net';
import { asciiLower } from '../base/characters.ts';
import type { Reader } from '../database/operation.ts';
import { escapeDnValue } from '../directory/dn.ts';
import { findEntry } from '../directory/entries.ts';
import { type Entry, hasClass, textValues } from '../directory/entry.ts';
import { normalizeDomain } from '../message/address.ts';
import { formatEndpoint } from '../net/listen.ts';
import type { ZoneServer } from '../net/zone-client.ts';
import { containerDn, nameIn } from '../routing/containers.ts';

const SERVERS_MAX = 10;
const DNS_PORT = 53;

export interface ZoneSource {
  /** Lower case. */
  readonly zone: string;
  readonly servers: readonly ZoneServer[];
  /** Values that are no address of a server, and what else is wrong. */
  readonly problem: string | undefined;
}

export function zoneSourceDn(zone: string): string {
  return `cn=${escapeDnValue(zone)},${containerDn('sources')}`;
}

/** The value of `waypostSource` in the entries that follow this zone. */
export function sourceMark(zone: string): string {
  return `dns:${zone}`;
}

/** Undefined for an entry that is no source. */
export function zoneSourceOf(entry: Entry): ZoneSource | undefined {
  const name = nameIn('sources', entry);
  if (name === undefined || !hasClass(entry, 'waypostzonesource')) return undefined;
  const zone = normalizeDomain(name);
  if (zone === undefined) return { zone: name, servers: [], problem: `${name} is no domain name` };
  const servers: ZoneServer[] = [];
  let problem: string | undefined;
  for (const value of textValues(entry, 'waypostzoneserver')) {
    const server = parseZoneServer(value);
    if (server === undefined) problem ??= `waypostZoneServer: ${value} is not an address`;
    else if (servers.length < SERVERS_MAX) servers.push(server);
  }
  if (servers.length === 0) problem ??= 'waypostZoneServer: no server is named';
  return { zone, servers, problem };
}

/** May this address say that the zone has changed? Read from the directory as it is now. */
export function isServerOf(reader: Reader, zone: string, address: string): boolean {
  if (normalizeDomain(zone) === undefined) return false;
  const entry = findEntry(reader, zoneSourceDn(zone));
  const servers = (entry && zoneSourceOf(entry))?.servers ?? [];
  return servers.some((server) => server.address === asciiLower(address));
}

/** `192.0.2.53`, `192.0.2.53:5300`, `2001:db8::53`, `[2001:db8::53]:5300`; undefined for anything else. */
export function parseZoneServer(text: string): ZoneServer | undefined {
  const trimmed = asciiLower(text.trim());
  if (isIP(trimmed) !== 0) return { address: trimmed, port: DNS_PORT };
  const colon = trimmed.lastIndexOf(':');
  const hasBrackets = trimmed.startsWith('[');
  const end = trimmed.endsWith(']') || colon < 0 ? trimmed.length : colon;
  const host = hasBrackets ? trimmed.slice(1, end - 1) : trimmed.slice(0, end);
  if (isIP(host) !== (hasBrackets ? 6 : 4) || (hasBrackets && trimmed[end - 1] !== ']')) return undefined;
  const port = end === trimmed.length ? DNS_PORT : Number(trimmed.slice(end + 1) || Number.NaN);
  return Number.isInteger(port) && port > 0 && port < 65_536 ? { address: host, port } : undefined;
}

export function formatZoneServer({ address, port }: ZoneServer): string {
  return port === DNS_PORT ? address : formatEndpoint(address, port);
}
