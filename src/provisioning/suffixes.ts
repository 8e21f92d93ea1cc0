// The suffixes of the directory: the first holds the DC tree and `ou=Waypost` and never changes, others are made at the start.
//
// In      DNs as the configuration gives them
// Out     what is wrong with them; the changes that add their entries

import { type Dn, isAtOrBelow, parseDn } from '../directory/dn.ts';
import type { DirectoryChange } from '../directory/entry.ts';

const CLASSES: ReadonlyMap<string, string> = new Map([
  ['o', 'organization'],
  ['ou', 'organizationalUnit'],
  ['dc', 'domain'],
  ['l', 'locality'],
  ['c', 'country'],
]);

/** Undefined where they can be. */
export function suffixProblem(suffixes: readonly string[]): string | undefined {
  const known: Dn[] = [];
  for (const text of suffixes) {
    const dn = tryParse(text);
    if (dn === undefined || dn.rdns.length === 0) return `${text} is not a DN`;
    if (classOf(dn) === undefined)
      return `${text} is none of ${[...CLASSES.keys()].map((key) => `${key}=`).join(', ')}`;
    if (known.some((other) => isAtOrBelow(dn, other) || isAtOrBelow(other, dn))) return `${text} lies in another`;
    known.push(dn);
  }
  return undefined;
}

export function addSuffixes(suffixes: readonly string[]): DirectoryChange[] {
  return suffixes.slice(1).map(addSuffix);
}

export function addSuffix(text: string): DirectoryChange {
  const dn = parseDn(text);
  return { kind: 'add', dn: dn.text, attributes: [{ name: 'objectClass', values: [classOf(dn)!] }] };
}

function classOf({ rdns }: Dn): string | undefined {
  const [name, ...more] = rdns[0]!.avas;
  return more.length > 0 ? undefined : CLASSES.get(name?.type?.key ?? '');
}

function tryParse(text: string): Dn | undefined {
  try {
    return parseDn(text);
  } catch {
    return undefined;
  }
}
