// Rights in a mailbox, as letters: from the rows of its list, and from who somebody is, to what that somebody may do there.
//
// In      rows, and which identities fit; letters as a client writes them
// Out     the letters, each once, in the order of MAILBOX_RIGHTS
// Never   reads anything: the same rows and identities give the same rights
// RFC 4314 §2.1, §2.1.1

/** All that there are. */
export const MAILBOX_RIGHTS = 'lrswipkxtea';
/** Letters of RFC 2086 that mean several. RFC 4314 §2.1.1 */
const OLD_RIGHTS: Readonly<Record<string, string>> = { c: 'kx', d: 'te' };

/** Every account of the domain of the mailbox's owner. */
export const ANYONE = 'anyone';

export type MailboxRight = 'l' | 'r' | 's' | 'w' | 'i' | 'p' | 'k' | 'x' | 't' | 'e' | 'a';

/** One line of a mailbox's list. */
export interface AclRow {
  /** The UUID of an entry, a user's or a list's, or ANYONE. */
  readonly identity: string;
  readonly rights: string;
  /** What it names is taken away. */
  readonly negative: boolean;
}

/** Undefined: there is a letter among them that is no right. */
export function parseRights(text: string): string | undefined {
  const letters = new Set<string>();
  for (const letter of text) {
    if (!MAILBOX_RIGHTS.includes(letter) && !Object.hasOwn(OLD_RIGHTS, letter)) return undefined;
    for (const one of OLD_RIGHTS[letter] ?? letter) letters.add(one);
  }
  return ordered(letters);
}

function ordered(letters: ReadonlySet<string>): string {
  return [...MAILBOX_RIGHTS].filter((letter) => letters.has(letter)).join('');
}

export type RightsChange = 'replace' | 'add' | 'remove';

/** What a row's rights become. */
export function changedRights(now: string, change: RightsChange, by: string): string {
  if (change === 'replace') return by;
  if (change === 'add') return ordered(new Set(now + by));
  return ordered(new Set(now).difference(new Set(by)));
}

/** All that fit are united, less all that is taken. */
export function rightsOf(rows: readonly AclRow[], fits: (identity: string) => boolean): string {
  const given = new Set<string>();
  const taken = new Set<string>();
  for (const { identity, rights, negative } of rows) {
    if (!fits(identity)) continue;
    for (const letter of rights) (negative ? taken : given).add(letter);
  }
  return ordered(given.difference(taken));
}
