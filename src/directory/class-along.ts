// Waypost's own attributes of a domain bring their class along: who writes them has no need to know of it.

import { SERVER_NAME_KEY } from './server-names.ts';

export const CLASS_ALONG = 'waypostDomain';

const OF_CLASS: ReadonlySet<string> = new Set([
  ...[SERVER_NAME_KEY, 'waypostroute', 'waypostdisabledtext', 'waypostsource'],
  ...['waypostzoneauthority', 'waypostdmarc', 'waypostmtasts', 'wayposttlsreport', 'waypostomitrecord'],
  ...['arecord', 'aaaarecord', 'mxrecord', 'nsrecord', 'cnamerecord', 'txtrecord', 'srvrecord', 'caarecord'],
  ...['tlsarecord', 'ptrrecord', 'mdrecord', 'soarecord', 'dnsttl'],
]);

/** Whether an attribute of this key brings CLASS_ALONG. */
export function bringsClass(key: string): boolean {
  return OF_CLASS.has(key);
}
