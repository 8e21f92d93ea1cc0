// The UIDBATCHES response. draft-ietf-mailmaint-imap-uidbatches-22 §3.1.2

import type { NumberRange } from '../values.ts';
import { encodeString } from './strings.ts';

/** Ranges from the higher UID to the lower, one of a single UID too. */
export function encodeUidBatches(tag: string, ranges: readonly NumberRange[]): string {
  const set = ranges.map(({ first, last }) => `${first}:${last}`).join(',');
  return `* UIDBATCHES (TAG ${encodeString(tag)})${set === '' ? '' : ` ${set}`}\r\n`;
}
