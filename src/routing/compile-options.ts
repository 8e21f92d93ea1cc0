// The values of mailDeliveryOption, and what their options need of the entry.
//
// In      an entry of a user or of a list
// Out     the options that act, in order of name; those that this program does not act on yet, as `mailDeliveryOption: forward`
// An option that is illegal, or without the attribute that it needs, is ignored and named. The usual one alone is not said.

import { asciiLower } from '../base/characters.ts';
import { type Entry, textValues } from '../directory/entry.ts';
import { deliveryOptions } from './attributes.ts';
import { optionsThatAct } from './options/options.ts';
import type { OptionName, OptionValues, Problem, RecipientRow } from './rows.ts';

export interface CompiledOptions {
  readonly values: OptionValues;
  readonly unsupported: readonly string[];
}

export const USUAL_OPTION = { user: 'mailbox', group: 'members' } as const;

export function compileOptions(entry: Entry, kind: RecipientRow['kind'], problems: Problem[]): CompiledOptions {
  const words = textValues(entry, 'maildeliveryoption');
  if (words.length === 0) return { values: {}, unsupported: [] };
  const { named, unsupported } = legalOptions(words, kind, problems);
  if (named.has('hold')) return { values: { options: ['hold'] }, unsupported };
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
  return { values: isUsual ? {} : { ...values, options }, unsupported };
}

function legalOptions(
  words: readonly string[],
  kind: RecipientRow['kind'],
  problems: Problem[],
): { readonly named: ReadonlySet<OptionName>; readonly unsupported: readonly string[] } {
  const meanings: ReadonlyMap<string, 'acts' | 'later'> = new Map(Object.entries(deliveryOptions[kind]));
  const named = new Set<OptionName>();
  const unsupported: string[] = [];
  for (const value of words) {
    const option = asciiLower(value.trim());
    const meaning = meanings.get(option);
    if (meaning === 'acts') named.add(option as OptionName);
    else if (meaning === 'later') unsupported.push(`mailDeliveryOption: ${option}`);
    else problems.push({ attribute: 'mailDeliveryOption', value, reason: `is not an option of a ${kind}` });
  }
  return { named, unsupported };
}
