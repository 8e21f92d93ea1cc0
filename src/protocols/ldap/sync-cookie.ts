// The cookie of a feed: whose it is, and up to which revision what it names is known there.
//
//   rid=001,csn=20261126095000.123000Z#000001#000#000005
//
// In      octets as a consumer gives them back, from another server perhaps, or made up
// Out     the consumer's number; the position, undefined where it says none, 'unknown' where what it says is no position of ours

import { parseCsn } from '../../directory/csn.ts';
import type { FeedPosition } from '../../directory/feed.ts';

export interface SyncCookie {
  /** Three digits; of a consumer that has none, zeros. */
  readonly rid: string;
  readonly position: FeedPosition | 'unknown' | undefined;
}

const LENGTH_MAX = 1000;
const RID = /^rid=(\d{3})$/;
const NO_RID = '000';

export function parseSyncCookie(octets: Uint8Array | undefined): SyncCookie {
  if (octets === undefined || octets.length === 0) return { rid: NO_RID, position: undefined };
  if (octets.length > LENGTH_MAX) return { rid: NO_RID, position: 'unknown' };
  const parts = Buffer.from(octets).toString('latin1').split(',');
  const rid = parts.map((part) => RID.exec(part)?.[1]).find((found) => found !== undefined);
  const csns = parts.filter((part) => part.startsWith('csn='));
  if (csns.length === 0) return { rid: rid ?? NO_RID, position: rid === undefined ? 'unknown' : undefined };
  // A consumer that has had other providers too names what it has of each.
  const ours = csns.flatMap((part) => part.slice('csn='.length).split(';')).map(parseCsn);
  return { rid: rid ?? NO_RID, position: ours.find((found) => found !== undefined) ?? 'unknown' };
}
