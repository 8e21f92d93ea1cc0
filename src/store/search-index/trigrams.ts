// A text that is looked for, as a question to the index: three characters in a row, again and again.
//
// In      a folded text, from a client
// Out     an expression of FTS5 whose rows are all those that can hold the text, and some more: all of some of its trigrams,
//         wherever they stand. Undefined where the index cannot say: under three characters
// Limits  TRIGRAMS_MAX of a text are asked for: those that are left out could only take candidates away
// A trigram is a string in quotes, where a quote is the one character that means something: it is doubled.

const TRIGRAMS_MAX = 32;
/** Of a longer text its beginning. */
const CHARACTERS_MAX = 1024;

export function trigramQuery(text: string): string | undefined {
  // NUL ends a question, and half of a pair is no character there.
  if (text.includes('\0') || !text.isWellFormed()) return undefined;
  const characters = [...text.slice(0, CHARACTERS_MAX)];
  // Perhaps half of a pair now.
  if (text.length > CHARACTERS_MAX) characters.pop();
  const trigrams = new Set<string>();
  for (let at = 0; at + 3 <= characters.length; at++)
    trigrams.add(`${characters[at]}${characters[at + 1]}${characters[at + 2]}`);
  if (trigrams.size === 0) return undefined;
  return evenly([...trigrams])
    .map((trigram) => `"${trigram.replaceAll('"', '""')}"`)
    .join(' AND ');
}

function evenly(all: readonly string[]): readonly string[] {
  if (all.length <= TRIGRAMS_MAX) return all;
  return Array.from({ length: TRIGRAMS_MAX }, (_, i) => all[Math.floor((i * all.length) / TRIGRAMS_MAX)]!);
}
