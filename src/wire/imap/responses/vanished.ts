// VANISHED: UIDs that are in the mailbox no more. RFC 7162 §3.2.10

import type { NumberRange } from '../values.ts';
import { encodeUidSet } from './mailbox.ts';

/** '' for none. */
export function encodeVanished(ranges: readonly NumberRange[]): string {
  return ranges.length === 0 ? '' : `* VANISHED ${encodeUidSet(ranges)}\r\n`;
}

/** What went before the client came back, in pieces, since it may be large. */
export function* encodeVanishedEarlier(ranges: readonly NumberRange[]): Generator<string> {
  if (ranges.length === 0) return;
  yield '* VANISHED (EARLIER) ';
  for (let at = 0; at < ranges.length; at += RANGES_A_PIECE)
    yield `${at > 0 ? ',' : ''}${encodeUidSet(ranges.slice(at, at + RANGES_A_PIECE))}`;
  yield '\r\n';
}

const RANGES_A_PIECE = 5000;
