// Whether clients are offered SCRAM: one that sees it does not fall back to a password in the clear, so that an account whose
// password has no keys would be kept out.
//
// In      `[auth] scram`; the count of user entries with a password without keys, read again where the directory has moved
// Out     yes or no: `on` and `off` as they say, `auto` while that count is 0

import type { PublishedRevision } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { countWithoutKeys } from './scram-counter.ts';

export type ScramSetting = 'auto' | 'on' | 'off';

export interface ScramStatus {
  readonly offered: boolean;
  /** User entries with a password without keys. */
  readonly without: number;
}

export function scramStatus(reader: Reader, setting: ScramSetting): ScramStatus {
  const without = countWithoutKeys(reader);
  return { offered: setting === 'on' || (setting === 'auto' && without === 0), without };
}

export function scramOffer(reader: Reader, setting: ScramSetting, revision: () => PublishedRevision): () => boolean {
  if (setting !== 'auto') return () => setting === 'on';
  let readAt: PublishedRevision | undefined;
  let isOffered = false;
  return () => {
    const now = revision();
    if (now !== readAt) {
      isOffered = scramStatus(reader, setting).offered;
      readAt = now;
    }
    return isOffered;
  };
}
