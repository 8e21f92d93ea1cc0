// A DN with stars, as `target` and `userdn` have it: each star is any text, a comma too.

import { normalizeDn } from '../dn.ts';
import type { NamePattern } from './rule.ts';

/** Throws `invalidDnSyntax`. */
export function namePattern(dn: string): NamePattern {
  return normalizeDn(dn).split('*');
}

export function matchesPattern(pattern: NamePattern, text: string): boolean {
  const [first, ...rest] = pattern;
  if (rest.length === 0) return text === first;
  if (!text.startsWith(first!)) return false;
  let at = first!.length;
  const last = rest.pop()!;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - at >= last.length && text.endsWith(last);
}
