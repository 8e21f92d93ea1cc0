// Flags of a command as the store keeps them: bits and words.

import { ANSWERED, DELETED, DRAFT, FLAGGED, type FlagSet, SEEN } from '../../store/flags.ts';
import type { Flags, SystemFlag } from '../../wire/imap/values.ts';

export const flagBits = {
  '\\Seen': SEEN,
  '\\Answered': ANSWERED,
  '\\Flagged': FLAGGED,
  '\\Deleted': DELETED,
  '\\Draft': DRAFT,
} satisfies Record<SystemFlag, number>;

export function flagSet({ system, keywords }: Flags): FlagSet {
  return { flags: system.reduce((bits, flag) => bits | flagBits[flag], 0), keywords };
}
