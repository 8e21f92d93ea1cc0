// A text that is looked for, as a question to the index: three characters in a row, again and again.
//
// In      a folded text, from a client
// Out     an expression of FTS5 whose rows are all those that can hold the text, and some more: all of its trigrams, wherever
//         they stand. Undefined where the index cannot say: under three characters
// Limits  of a text its first NEEDLE_CHARACTERS are asked for: more could only take candidates away
// A trigram is a string in quotes, where a quote is the one character that means something: it is doubled.

/** UTF-16 units. */
export const NEEDLE_CHARACTERS = 48;

export function trigramQuery(text: string): string | undefined {
  // NUL ends a question, and half of a pair is no character there.
  if (text.includes('\0') || !text.isWellFormed()) return undefined;
  const characters = [...text.slice(0, NEEDLE_CHARACTERS)];
  // Perhaps half of a pair now.
  if (text.length > NEEDLE_CHARACTERS) characters.pop();
  const trigrams = new Set<string>();
  for (let at = 0; at + 3 <= characters.length; at++)
    trigrams.add(`"${`${characters[at]}${characters[at + 1]}${characters[at + 2]}`.replaceAll('"', '""')}"`);
  return trigrams.size === 0 ? undefined : [...trigrams].join(' AND ');
}
