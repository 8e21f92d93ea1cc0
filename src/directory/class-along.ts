// Attributes that bring their class along, where it is missing: who writes them has no need to know of it, or may not write
// classes.

import { SERVER_NAME_KEY } from './server-names.ts';

const OF_DOMAIN: readonly string[] = [
  ...[SERVER_NAME_KEY, 'waypostroute', 'waypostdisabledtext', 'waypostsource'],
  ...['waypostzoneauthority', 'waypostdmarc', 'waypostmtasts', 'wayposttlsreport', 'waypostomitrecord'],
  ...['arecord', 'aaaarecord', 'mxrecord', 'nsrecord', 'cnamerecord', 'txtrecord', 'srvrecord', 'caarecord'],
  ...['tlsarecord', 'ptrrecord', 'mdrecord', 'soarecord', 'dnsttl'],
];

const ALONG: ReadonlyMap<string, string> = new Map([
  ...OF_DOMAIN.map((key): [string, string] => [key, 'waypostDomain']),
  ['vacationstartdate', 'userPresenceProfile'],
  ['vacationenddate', 'userPresenceProfile'],
]);

/** The class that an attribute of this key brings. */
export function classAlong(key: string): string | undefined {
  return ALONG.get(key);
}
