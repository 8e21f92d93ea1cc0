// The pattern of LIST and LSUB against names as they are on the wire. RFC 3501 §6.3.8
//
// `*` stands for anything, `%` for anything without a separator; INBOX matches in any case.
// Cost    length of the name times length of the pattern at most, whatever the pattern is: no backtracking

import { asciiLower } from '../../base/characters.ts';
import { MAILBOX_NAME_MAX, SEPARATOR } from '../../store/mailboxes.ts';

/** Characters a name can have on the wire: each of ours in base64, six bits a character, with its shifts. */
const NAME_CHARACTERS_MAX = MAILBOX_NAME_MAX * 5;

export class ListPattern {
  readonly #pattern: string;
  readonly #isHopeless: boolean;

  constructor(pattern: string) {
    const text = asciiLower(pattern.slice(0, 5)) === 'inbox' ? `INBOX${pattern.slice(5)}` : pattern;
    this.#pattern = withoutDoubles(text);
    this.#isHopeless = this.#pattern.length > 2 * NAME_CHARACTERS_MAX + 1;
  }

  matches(name: string): boolean {
    if (this.#isHopeless) return false;
    const pattern = this.#pattern;
    // What clients ask for.
    if (pattern === '*') return true;
    if (pattern === '%') return !name.includes(SEPARATOR);
    // reachable[i]: the pattern so far matches the first i characters of the name.
    let reachable = new Uint8Array(name.length + 1);
    reachable[0] = 1;
    for (let p = 0; p < pattern.length; p++) {
      const c = pattern.charAt(p);
      const next = new Uint8Array(name.length + 1);
      let alive = 0;
      for (let i = 0; i <= name.length; i++) {
        let isReached = 0;
        if (c === '*') isReached = reachable[i]! | (i > 0 ? next[i - 1]! : 0);
        else if (c === '%') isReached = reachable[i]! | (i > 0 && name.charAt(i - 1) !== SEPARATOR ? next[i - 1]! : 0);
        else if (i > 0 && name.charAt(i - 1) === c) isReached = reachable[i - 1]!;
        next[i] = isReached;
        alive |= isReached;
      }
      if (alive === 0) return false;
      reachable = next;
    }
    return reachable[name.length] === 1;
  }
}

/** Wildcards side by side mean what the widest of them means. */
function withoutDoubles(pattern: string): string {
  let text = '';
  for (let at = 0; at < pattern.length; ) {
    let end = at;
    let isWide = false;
    while (pattern.charAt(end) === '*' || pattern.charAt(end) === '%') isWide = pattern.charAt(end++) === '*' || isWide;
    if (end === at) text += pattern.charAt(at++);
    else {
      text += isWide ? '*' : '%';
      at = end;
    }
  }
  return text;
}
