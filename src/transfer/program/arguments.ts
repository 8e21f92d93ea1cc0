// The words that a program is called with: those of its entry, with what is known of the message in place of variables.
//
// In      words with `${sender} ${recipient} ${user} ${detail} ${domain} ${id}` in them; others stay as they are
// Out     as many words: a value is never cut into two. Undefined where a value would make an option of a word: it stands at the
//         beginning, and begins with `-`

export interface Variables {
  /** `''`: the null reverse-path. */
  readonly sender: string;
  readonly recipient: string;
  /** The local part without its subaddress. */
  readonly user: string;
  /** The subaddress; `''`: none. */
  readonly detail: string;
  readonly domain: string;
  /** Of the message in the queue. */
  readonly id: string;
}

export function argumentsOf(words: readonly string[], variables: Variables): readonly string[] | undefined {
  const known: ReadonlyMap<string, string> = new Map(Object.entries(variables));
  const made = words.map((word) => word.replace(/\$\{([a-z]+)\}/g, (whole, name) => known.get(name) ?? whole));
  return made.some((word, index) => word.startsWith('-') && !words[index]!.startsWith('-')) ? undefined : made;
}
