// Under what a directory write is made: who asks, when, and on which server.

import type { Revision } from '../base/ids.ts';
import type { ApplyOptions } from '../directory/apply-change.ts';
import type { Losses } from '../routing/losses.ts';

/** What a change's consequences depend on besides the directory. */
export interface ChangeSite {
  readonly hostname: string;
  /** `none`: this server answers for no zone. */
  readonly mode: 'embedded' | 'none';
}

/** For who posts an operation, and for entries that are in no zone. */
export const ANY_SITE: ChangeSite = { hostname: 'localhost', mode: 'embedded' };

export interface WriteOptions extends ApplyOptions {
  readonly site: ChangeSite;
  /** A message brings the domain that is added: what was found out about it, JSON. */
  readonly broughtBy?: { readonly evidence: string };
  /** The revision of this directory at which another server's change comes, whose own is an earlier one perhaps. */
  readonly takenAt?: Revision;
  /** Of the operation: who has no address left, so far. */
  readonly losses?: Losses;
}
