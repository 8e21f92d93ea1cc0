// Untagged responses about mailboxes and messages' numbers. RFC 3501 §7.2, §7.3, §7.4.1

import type { StatusItem } from '../commands/status.ts';
import { encodeMailboxName } from '../mailbox-name.ts';
import type { NumberRange } from '../values.ts';
import { encodeAstring, encodeString } from './strings.ts';

/** `name` in Unicode, '' for the answer to a question about the separator. */
export function encodeList(kind: 'LIST' | 'LSUB', attributes: readonly string[], name: string): string {
  const text = name === '' ? '""' : encodeMailbox(name);
  return `* ${kind} (${attributes.join(' ')}) "/" ${text}\r\n`;
}

function encodeMailbox(name: string): string {
  return encodeAstring(encodeMailboxName(name));
}

export function encodeStatus(name: string, items: readonly (readonly [StatusItem, number])[]): string {
  return `* STATUS ${encodeMailbox(name)} (${items.map(([item, value]) => `${item} ${value}`).join(' ')})\r\n`;
}

/** RFC 4315 §4 uid-set. */
export function encodeUidSet(ranges: readonly NumberRange[]): string {
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}:${last}`)).join(',');
}

/** RFC 2971 §3.2; NIL when there is nothing to say. */
export function encodeId(parameters: readonly (readonly [field: string, value: string])[]): string {
  if (parameters.length === 0) return '* ID NIL\r\n';
  return `* ID (${parameters.map(([field, value]) => `${encodeString(field)} ${encodeString(value)}`).join(' ')})\r\n`;
}
