// What a user's entry says of mail that the user sends.
//
// In      the entry
// Out     keys of its row; a value that cannot be used is a problem

import { asciiLower } from '../base/characters.ts';
import { type Entry, textValue } from '../directory/entry.ts';
import type { Problem, UserRow } from './rows.ts';

export function submissionOf(entry: Entry, problems: Problem[]): Pick<UserRow, 'isSuspended' | 'submitChannel'> {
  const name = textValue(entry, 'mailsmtpsubmitchannel')?.trim();
  return {
    ...(isSuspended(entry, problems) ? { isSuspended: true } : {}),
    ...(name === undefined || name === '' ? {} : { submitChannel: asciiLower(name) }),
  };
}

/** A word that nobody knows lets nothing out: it may be a slip in an attempt to stop somebody. */
function isSuspended(entry: Entry, problems: Problem[]): boolean {
  const value = textValue(entry, 'waypostsubmitstatus');
  const status = value === undefined ? 'active' : asciiLower(value.trim());
  if (status !== 'active' && status !== 'suspended')
    problems.push({ attribute: 'waypostSubmitStatus', value: value!, reason: 'is none of active, suspended' });
  return status !== 'active';
}
