// Referral entries: what stands at their name and below is another server's. Their values of `ref` say which.
//
// In      an entry, and the name that is asked for, at the entry or below it
// Out     the URLs that the client goes on with, with the name as that server has it
// Limits  URIS_MAX values of `ref`; one that is no URL of LDAP is given as it stands
// RFC 3296 §2 §5

import type { Transaction } from '../database/operation.ts';
import type { SearchScope } from '../wire/ldap/operations/search.ts';
import { type Dn, parseDn } from './dn.ts';
import { nearestEntryIn } from './entries.ts';
import { type Entry, textValues } from './entry.ts';
import { directoryFailure } from './failure.ts';

const URIS_MAX = 100;
const SCHEMES = ['ldap://', 'ldaps://'];

export function isReferral(entry: Entry): boolean {
  return entry.attributes.get('objectclass')?.values.includes('referral') === true;
}

/** `scope`: of the search that is to go on there. */
export function referralUris(entry: Entry, asked: Dn, scope?: SearchScope): readonly string[] {
  const own = parseDn(entry.dn);
  return textValues(entry, 'ref')
    .slice(0, URIS_MAX)
    .map((value) => uriOf(labelless(value), own, asked, scope));
}

/** The failure of an operation at this entry or below it. */
export function referral(entry: Entry, asked: Dn, scope?: SearchScope): Error {
  const uris = referralUris(entry, asked, scope);
  return directoryFailure('referral', 'This part of the tree is at another server', {
    matchedDn: entry.dn,
    referral: uris,
  });
}

/** The referral of this name, unless that is wanted as it stands, or the one that it is below where no entry is. */
export async function referralAboveIn(tx: Transaction, asked: Dn, asEntry: boolean): Promise<Entry | undefined> {
  const nearest = await nearestEntryIn(tx, asked);
  if (nearest === undefined || !isReferral(nearest)) return undefined;
  return nearest.normalizedDn !== asked.normalized || !asEntry ? nearest : undefined;
}

/** `labeledURI` has a label behind a blank. */
function labelless(value: string): string {
  const blank = value.indexOf(' ');
  return blank < 0 ? value : value.slice(0, blank);
}

/** Host and port stay; the name is the asked one, below the referral's own where that has another. */
function uriOf(value: string, own: Dn, asked: Dn, scope: SearchScope | undefined): string {
  const scheme = SCHEMES.find((each) => value.slice(0, each.length).toLowerCase() === each);
  if (scheme === undefined) return value;
  const slash = value.indexOf('/', scheme.length);
  const host = slash < 0 ? value : value.slice(0, slash);
  const name = slash < 0 ? '' : nameIn(value.slice(slash + 1));
  if (name === undefined) return value;
  const below = asked.rdns.slice(0, asked.rdns.length - own.rdns.length).map((rdn) => rdn.text);
  const dn = name === '' ? asked.text : [...below, name].join(',');
  return `${host}/${encoded(dn)}${scope === undefined ? '' : `??${scope}`}`;
}

/** The name in the path of a URL; undefined for what is no name. */
function nameIn(path: string): string | undefined {
  const end = path.indexOf('?');
  try {
    return parseDn(decodeURIComponent(end < 0 ? path : path.slice(0, end))).text;
  } catch {
    return undefined;
  }
}

/** RFC 4516 §2.1: what a URL cannot hold, and the question mark, which would end the name. */
function encoded(dn: string): string {
  return encodeURI(dn).replaceAll('?', '%3F').replaceAll('#', '%23');
}
