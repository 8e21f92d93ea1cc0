// The values of mailDeliveryOption, and what their options need of the entry.
//
// In      an entry of a user or of a list
// Out     the options that act, in order of name
// An option that is illegal, or without the attribute that it needs, is ignored and named. The usual one alone is not said.

import { asciiLower } from '../base/characters.ts';
import { type Entry, textValues } from '../directory/entry.ts';
import { deliveryOptions } from './attributes.ts';
import { optionsThatAct } from './options/options.ts';
import type { OptionName, OptionValues, Problem, RecipientRow } from './rows.ts';

export const USUAL_OPTION = { user: 'mailbox', group: 'members' } as const;

export function compileOptions(entry: Entry, kind: RecipientRow['kind'], problems: Problem[]): OptionValues {
  const words = textValues(entry, 'maildeliveryoption');
  if (words.length === 0) return {};
  const named = legalOptions(words, kind, problems);
  if (named.has('hold')) return { options: ['hold'] };
  const options: OptionName[] = [];
  let values: OptionValues = {};
  for (const option of [...named].sort()) {
    const compile = optionsThatAct[option]?.compile;
    const own = compile === undefined ? {} : compile(entry, problems);
    if (own === undefined) continue;
    options.push(option);
    values = { ...values, ...own };
  }
  const isUsual = options.length === 1 && options[0] === USUAL_OPTION[kind];
  return isUsual ? {} : { ...values, options };
}

function legalOptions(
  words: readonly string[],
  kind: RecipientRow['kind'],
  problems: Problem[],
): ReadonlySet<OptionName> {
  const named = new Set<OptionName>();
  for (const value of words) {
    const written = asciiLower(value.trim());
    const option = deliveryOptions[kind].find((legal) => legal === written);
    if (option !== undefined) named.add(option);
    else problems.push({ attribute: 'mailDeliveryOption', value, reason: `is not an option of a ${kind}` });
  }
  return named;
}
