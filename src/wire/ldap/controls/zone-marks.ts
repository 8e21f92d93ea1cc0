// Zone marks, our own: a server that follows another one asks to be told when names have moved, and what stood there before,
// beside the entries.
//
// In      the revision up to which it knows that, as decimal digits; no value: all is to be told
// The name of the intermediate responses that tell it, too; their value is zones/told.ts's.

import { SyntaxFailure } from '../../../base/cursor.ts';
import type { ControlCodec } from './codec.ts';

export const ZONE_MARKS = '2.25.260029475078379629835353372611245454843.3.3';

export interface ZoneMarksAsked {
  readonly since: number | undefined;
}

export const zoneMarks: ControlCodec<ZoneMarksAsked> = {
  type: ZONE_MARKS,
  decode(octets) {
    if (octets === undefined) return { since: undefined };
    const text = Buffer.from(octets).toString('latin1');
    const since = Number(text);
    if (!Number.isSafeInteger(since) || since < 0 || String(since) !== text)
      throw new SyntaxFailure('a revision in decimal digits', 0);
    return { since };
  },
  encode: ({ since }) => (since === undefined ? undefined : Buffer.from(String(since))),
};
