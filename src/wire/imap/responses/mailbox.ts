// Untagged responses about mailboxes and messages' numbers. RFC 3501 §7.2, §7.3, §7.4.1

import type { StatusItem } from '../commands/status.ts';
import type { NumberRange } from '../values.ts';
import { encodeAstring, encodeString, encodeUtf8String } from './strings.ts';

/**
 * `name` as the client has names spelled, '' for the answer to a question about the separator. `childInfo`: what mailboxes
 * below are that were asked for. RFC 5258 §4
 */
export function encodeList(
  kind: 'LIST' | 'LSUB',
  attributes: readonly string[],
  name: string,
  childInfo: readonly string[] = [],
): string {
  const items = childInfo.length === 0 ? '' : ` ("CHILDINFO" (${childInfo.map(encodeString).join(' ')}))`;
  return `* ${kind} (${attributes.join(' ')}) "/" ${encodeMailbox(name)}${items}\r\n`;
}

/** Of a mailbox with another name than before. RFC 5465 §5.4 */
export function encodeRenamed(attributes: readonly string[], name: string, oldName: string): string {
  return `* LIST (${attributes.join(' ')}) "/" ${encodeMailbox(name)} ("OLDNAME" (${encodeMailbox(oldName)}))\r\n`;
}

/** What names begin with, and the character between their levels. */
export interface Namespace {
  readonly prefix: string;
  readonly separator: string;
}

/** Personal, other users' and shared ones; NIL where there are none. RFC 2342 §6 */
export function encodeNamespaces(kinds: readonly (readonly Namespace[])[]): string {
  const texts = kinds.map((namespaces) => {
    const pairs = namespaces.map(({ prefix, separator }) => `(${encodeString(prefix)} ${encodeString(separator)})`);
    return pairs.length === 0 ? 'NIL' : `(${pairs.join('')})`;
  });
  return `* NAMESPACE ${texts.join(' ')}\r\n`;
}

/** An atom where it may be one. */
export function encodeMailbox(name: string): string {
  const text = encodeAstring(name);
  return text.startsWith('{') ? encodeUtf8String(name) : text;
}

export function encodeStatus(name: string, items: readonly (readonly [StatusItem, number | string])[]): string {
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
