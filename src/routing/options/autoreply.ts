// The option `autoreply`: the sender is answered in the user's absence.
//
// Out     a target of the channel `autoreply`, which reads the entry when it answers: a text or a date that has changed counts at once
// Without a text, and without the mode that sends the message back, there is nothing to answer with: the option is ignored

import { asciiLower } from '../../base/characters.ts';
import { type Entry, textValue } from '../../directory/entry.ts';
import { generalizedTimeToMs } from '../../directory/scalars.ts';
import type { Problem } from '../rows.ts';
import { autoreplyTarget } from '../targets.ts';
import type { CompileOption, PlanOption } from './option.ts';

const MODES: ReadonlySet<string> = new Set(['reply', 'echo']);

export const compileAutoreply: CompileOption = (entry, problems) => {
  if (hasAnswer(entry)) {
    nameUnusable(entry, problems);
    return {};
  }
  problems.push({ attribute: 'mailDeliveryOption', value: 'autoreply', reason: 'mailAutoReplyText is missing' });
  return undefined;
};

export const planAutoreply: PlanOption = ({ row, name: by, address, target }) => {
  if (row.kind !== 'user' || by === undefined) return;
  const { entry, account, isSuspended } = row;
  target(autoreplyTarget(address, { entry, account, by, ...(isSuspended ? { heldBy: 'suspended' } : {}) }));
};

/** It is answered all the same, or never: nobody would see why. */
function nameUnusable(entry: Entry, problems: Problem[]): void {
  const name = (attribute: string, reason: string): number =>
    problems.push({ attribute, value: textValue(entry, asciiLower(attribute)) ?? '', reason });
  const mode = asciiLower(textValue(entry, 'mailautoreplymode')?.trim() ?? 'reply');
  if (!MODES.has(mode)) name('mailAutoReplyMode', 'is none of reply, echo: acts as reply');
  if (Number(textValue(entry, 'mailautoreplytimeout') ?? 1) < 1) name('mailAutoReplyTimeOut', 'acts as 1');
  const [start, end] = ['vacationstartdate', 'vacationenddate'].map((each) => {
    const text = textValue(entry, each);
    return text === undefined ? undefined : generalizedTimeToMs(text);
  });
  if (start !== undefined && end !== undefined && start > end)
    name('vacationEndDate', 'lies before vacationStartDate: nobody is answered');
}

function hasAnswer(entry: Entry): boolean {
  if (asciiLower(textValue(entry, 'mailautoreplymode')?.trim() ?? '') === 'echo') return true;
  for (const key of entry.attributes.keys())
    if (key.startsWith('mailautoreplytext') && (textValue(entry, key) ?? '').trim() !== '') return true;
  return false;
}
