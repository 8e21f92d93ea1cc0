// The option `autoreply`: the sender is answered in the user's absence.
//
// Out     a target of the channel `autoreply`, which reads the entry when it answers: a text or a date that has changed counts at once
// Without a text, and without the mode that sends the message back, there is nothing to answer with: the option is ignored

import { asciiLower } from '../../base/characters.ts';
import { type Entry, textValue } from '../../directory/entry.ts';
import { autoreplyTarget } from '../targets.ts';
import type { CompileOption, PlanOption } from './option.ts';

export const compileAutoreply: CompileOption = (entry, problems) => {
  if (hasAnswer(entry)) return {};
  problems.push({ attribute: 'mailDeliveryOption', value: 'autoreply', reason: 'mailAutoReplyText is missing' });
  return undefined;
};

export const planAutoreply: PlanOption = ({ row, name: by, address, target }) => {
  if (row.kind !== 'user' || by === undefined) return;
  const { entry, account, isSuspended } = row;
  target(autoreplyTarget(address, { entry, account, by, ...(isSuspended ? { heldBy: 'suspended' } : {}) }));
};

function hasAnswer(entry: Entry): boolean {
  if (asciiLower(textValue(entry, 'mailautoreplymode')?.trim() ?? '') === 'echo') return true;
  for (const key of entry.attributes.keys())
    if (key.startsWith('mailautoreplytext') && (textValue(entry, key) ?? '').trim() !== '') return true;
  return false;
}
