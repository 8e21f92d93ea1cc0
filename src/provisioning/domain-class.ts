// Waypost's own attributes of a domain bring their class along: who writes them has no need to know of it.
//
// In      an entry as a change has made it; in its transaction
// Out     the further change that adds the class, where it is missing

import type { Transaction } from '../database/operation.ts';
import { applyChange } from '../directory/apply-change.ts';
import { type ChangedEntry, hasClass } from '../directory/entry.ts';
import { SERVER_NAME_KEY } from '../directory/server-names.ts';
import type { WriteOptions } from './write-options.ts';

const CLASS = 'waypostDomain';
const OF_CLASS = [
  ...[SERVER_NAME_KEY, 'waypostroute', 'waypostdisabledtext', 'waypostsource'],
  ...['waypostzoneauthority', 'waypostdmarc', 'waypostmtasts', 'wayposttlsreport', 'waypostomitrecord'],
  ...['arecord', 'aaaarecord', 'mxrecord', 'nsrecord', 'cnamerecord', 'txtrecord', 'srvrecord', 'caarecord'],
  ...['tlsarecord', 'ptrrecord', 'mdrecord', 'soarecord', 'dnsttl'],
];

export async function addDomainClass(
  tx: Transaction,
  { after: entry }: ChangedEntry,
  options: WriteOptions,
): Promise<readonly ChangedEntry[]> {
  if (entry === undefined) return [];
  if (!OF_CLASS.some((key) => entry.attributes.has(key)) || hasClass(entry, CLASS.toLowerCase())) return [];
  const modification = { operation: 'add', attribute: 'objectClass', values: [CLASS] } as const;
  return [await applyChange(tx, { kind: 'modify', dn: entry.dn, modifications: [modification] }, options)];
}
