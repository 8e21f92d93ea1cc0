// Which of a user's texts is the answer.
//
// In      texts by language; what the message says of languages
// Out     the text that fits best
// Limits  RANGES_MAX languages of a field, RANGE_LENGTH_MAX characters each: a longer one is none, and each of its parts would be looked up
// RFC 4647 §3.4, RFC 9110 §12.4.2 §12.5.4, RFC 3282

import { asciiLower } from '../../base/characters.ts';
import type { Texts } from './profile.ts';

/** Languages of a message that are looked at. */
const RANGES_MAX = 20;
/** RFC 5646 §4.4.1: 35 are enough for all that there are. */
const RANGE_LENGTH_MAX = 100;

/** What the message would like to be answered in, the best first, in lower case. Header values, undefined where absent. */
export function languagesOf(acceptLanguage: string | undefined, contentLanguage: string | undefined): string[] {
  const ranges: { range: string; quality: number }[] = [];
  for (const part of (acceptLanguage ?? '').split(',', RANGES_MAX)) {
    const [range, ...parameters] = asciiLower(part).split(';');
    const quality = parameters.map((each) => each.trim()).find((each) => each.startsWith('q='));
    const weight = quality === undefined ? 1 : Number(quality.slice(2));
    if (weight > 0) ranges.push({ range: range!.trim(), quality: weight });
  }
  ranges.sort((a, b) => b.quality - a.quality);
  const languages = asciiLower(contentLanguage ?? '').split(',', RANGES_MAX);
  const all = [...ranges.map(({ range }) => range), ...languages.map((each) => each.trim())];
  return all.filter(({ length }) => length > 0 && length <= RANGE_LENGTH_MAX);
}

/** `de-at` finds the text of `de`, too. Undefined where there is none that fits. */
export function chooseText(texts: Texts, languages: readonly string[]): string | undefined {
  for (const language of languages) {
    for (let range = language; range !== ''; range = range.slice(0, Math.max(0, range.lastIndexOf('-')))) {
      const text = texts.get(range);
      if (text !== undefined) return text;
    }
  }
  return texts.get('');
}

/** `2026-12-20`, in UTC; `''` where it is open. */
export function dateText(at: number | undefined): string {
  return at === undefined ? '' : new Date(at).toISOString().slice(0, 10);
}
