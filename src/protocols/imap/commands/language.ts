// LANGUAGE: which languages texts for people may be in, and which is wanted. All of them are English. RFC 5255 §3

import { type LanguageCommand, parseLanguage } from '../../../wire/imap/commands/language.ts';
import { ANY_STATE, type CommandDefinition } from '../handler.ts';
import { no, ok } from '../reply.ts';

/** The first is what holds where nothing is chosen. */
const LANGUAGES = ['i-default', 'en'] as const;

export const language: CommandDefinition<LanguageCommand> = {
  states: ANY_STATE,
  parse: parseLanguage,
  run({ ranges }, session) {
    const chosen = ranges.length === 0 ? LANGUAGES : firstOf(ranges);
    if (chosen === undefined) return no('None of these languages is here');
    session.write(`* LANGUAGE (${chosen.join(' ')})\r\n`);
    return ok('LANGUAGE completed');
  },
};

/** By look-up: `en-GB` finds `en`. RFC 4647 §3.4 */
function firstOf(ranges: readonly string[]): readonly string[] | undefined {
  for (const range of ranges) {
    if (range === '*' || range === 'default') return [LANGUAGES[0]];
    for (let end = range.length; end > 0; end = range.lastIndexOf('-', end - 1)) {
      const found = LANGUAGES.find((one) => one === range.slice(0, end));
      if (found !== undefined) return [found];
    }
  }
  return undefined;
}
