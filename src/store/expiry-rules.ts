// Which rules of expiry act in a folder, and which messages they take.
//
// In      the rules of an account's entry and of its domain's; the name of a folder; a message's row
// Out     whether it is to go
// Order   a rule of the account takes the place of the domain's for the same FOLDER. `never` of the account spares what it names from all,
//         `never` of the domain from the rest of the domain's. What is left adds up: one rule that takes a message is enough
// Never   takes what is \Flagged

import type { ExpiryRule } from '../directory/expiry-value.ts';
import { FLAGGED, SEEN } from './flags.ts';

export interface AccountExpiry {
  readonly own: readonly ExpiryRule[];
  /** Of its domain. */
  readonly domain: readonly ExpiryRule[];
}

/** A rule that takes something. */
export type ActingRule = Exclude<ExpiryRule, { readonly does: 'never' }>;

export function rulesFor(folder: string, { own, domain }: AccountExpiry): ActingRule[] {
  const replaced = new Set(own.map((rule) => rule.folder));
  const ownRules = acting(folder, own);
  const domainRules = acting(
    folder,
    domain.filter((rule) => !replaced.has(rule.folder)),
  );
  return ownRules === 'never' ? [] : [...ownRules, ...(domainRules === 'never' ? [] : domainRules)];
}

function acting(folder: string, rules: readonly ExpiryRule[]): ActingRule[] | 'never' {
  const found: ActingRule[] = [];
  for (const rule of rules) {
    if (!matches(rule.folder, folder)) continue;
    if (rule.does === 'never') return 'never';
    found.push(rule);
  }
  return found;
}

/** `*` any characters, `?` one. Linear but for what one `*` looks at twice. */
export function matches(pattern: string, name: string): boolean {
  let [at, star, back] = [0, -1, 0];
  for (let i = 0; i < name.length; ) {
    const wanted = pattern[at];
    if (wanted === '*') {
      star = at++;
      back = i;
    } else if (wanted === '?' || wanted === name[i]) {
      at++;
      i++;
    } else if (star >= 0) {
      at = star + 1;
      i = ++back;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

/** What is looked at of a message. */
export interface Expirable {
  readonly flags: number;
  readonly size: number;
  /** When it came into this mailbox. */
  readonly saved: number;
}

/** By its age. */
export function isOverAge({ flags, size, saved }: Expirable, rules: readonly ActingRule[], now: number): boolean {
  if ((flags & FLAGGED) !== 0) return false;
  for (const rule of rules) {
    if (rule.does !== 'age' || saved > now - rule.ageMs || size <= rule.over) continue;
    if (!rule.isSeenOnly || (flags & SEEN) !== 0) return true;
  }
  return false;
}

/** How many of the newest stay, by the strictest rule; undefined: all. */
export function keptCount(rules: readonly ActingRule[]): number | undefined {
  const counts = rules.flatMap((rule) => (rule.does === 'count' ? rule.count : []));
  return counts.length === 0 ? undefined : Math.min(...counts);
}

/** What was saved later is taken by no rule of an age. */
export function latestSaved(rules: readonly ActingRule[], now: number): number {
  return Math.max(
    Number.NEGATIVE_INFINITY,
    ...rules.map((rule) => (rule.does === 'age' ? now - rule.ageMs : Number.NEGATIVE_INFINITY)),
  );
}
