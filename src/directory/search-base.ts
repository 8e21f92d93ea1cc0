// Where a search begins: its base, past aliases where the client asks for that, and what aliases below it lead to.
//
// In      the name of the base, as the client wrote it; whether aliases are followed, and whether they and referrals are wanted
//         as entries
// Out     the base; the places that are searched, none of them inside another
// Limits  ALIASES_MAX aliases one behind another, and below a base; who has more gets what the first lead to
// Errors  `noSuchObject`; `referral` at a referral entry and below it; `aliasProblem` for a base that leads in a circle or to
//         nothing. Below the base such aliases are left out
// RFC 4511 §4.5.1.3, RFC 4512 §2.6, RFC 3296 §5

import { asFailure } from '../base/failure.ts';
import type { Reader } from '../database/operation.ts';
import type { SearchScope } from '../wire/ldap/operations/search.ts';
import type { Sight } from './access/sight.ts';
import { type Dn, parseDn, pathOfNormalized } from './dn.ts';
import { entriesWith, findEntry, nearestEntry, noSuchObject } from './entries.ts';
import { type Entry, textValue } from './entry.ts';
import { directoryFailure } from './failure.ts';
import { OnceARevision } from './once-a-revision.ts';
import { isReferral, referral } from './referrals.ts';

export interface SearchPlace {
  readonly entry: Entry;
  readonly path: string;
  readonly scope: SearchScope;
}

const ALIASES_MAX = 10_000;
/** One behind another. */
const HOPS_MAX = 32;

export function isAlias(entry: Entry): boolean {
  return entry.attributes.get('objectclass')?.values.includes('alias') === true;
}

export interface BaseOptions {
  /** For the URLs of a referral, where it is a search. */
  readonly scope: SearchScope | undefined;
  /** Follow aliases, in the base's name and above it. */
  readonly finds: boolean;
  /** Aliases and referrals are entries. */
  readonly asEntry: boolean;
  /** A referral is no failure, where it is what the name leads to. */
  readonly endsAtReferral?: true;
}

/** The entry of this name. */
function findBase(reader: Reader, asked: Dn, options: BaseOptions): Entry {
  const { scope, finds, asEntry } = options;
  const takesReferral = asEntry || options.endsAtReferral === true;
  let dn = asked;
  let followed: { readonly alias: Entry; readonly to: Dn } | undefined;
  for (let hops = 0; ; hops++) {
    // Nearly always it is there.
    const nearest = entryAt(reader, dn, scope) ?? nearestEntry(reader, dn);
    const isOwn = nearest?.normalizedDn === dn.normalized;
    if (nearest !== undefined && isReferral(nearest) && !(isOwn && takesReferral)) throw referral(nearest, dn, scope);
    const isFollowed = nearest !== undefined && finds && !asEntry && isAlias(nearest);
    if (isFollowed) {
      const target = targetOf(nearest);
      if (target === undefined || hops === HOPS_MAX) throw aliasProblem(nearest, 'The alias leads in a circle');
      const below = dn.rdns.slice(0, dn.rdns.length - parseDn(nearest.dn).rdns.length).map((rdn) => rdn.text);
      dn = parseDn([...below, target.text].join(','));
      followed = { alias: nearest, to: target };
    } else if (isOwn) return nearest;
    else if (followed !== undefined && !reaches(nearest, followed.to))
      throw aliasProblem(followed.alias, 'The alias leads to nothing');
    else throw noSuchObject(nearest?.dn);
  }
}

/** What many searches begin at. The entry of a search for itself is another one each time. */
const bases = new OnceARevision<Entry | undefined>();

function entryAt(reader: Reader, dn: Dn, scope: SearchScope | undefined): Entry | undefined {
  if (scope !== 'one' && scope !== 'sub') return findEntry(reader, dn);
  return bases.get(reader, dn.path, () => findEntry(reader, dn));
}

/** As findBase, for a caller who is not told what stands in the way of it, or above it, unless it sees that. */
export function seenBase(reader: Reader, asked: Dn, options: BaseOptions & { readonly sight: Sight }): Entry {
  const { sight } = options;
  try {
    return findBase(reader, asked, options);
  } catch (error) {
    const matched = sight.caller === undefined ? undefined : asFailure(error).ldap?.matchedDn;
    if (matched === undefined) throw error;
    const entry = findEntry(reader, matched);
    throw entry !== undefined && sight.shown(entry) !== undefined ? error : noSuchObject(undefined);
  }
}

/** What aliases within the base's scope lead to, beside the base. The aliases themselves are no results. */
export function placesOf(reader: Reader, base: Entry, scope: SearchScope, follows: boolean): SearchPlace[] {
  const first = { entry: base, path: pathOfNormalized(base.normalizedDn), scope };
  if (!follows || scope === 'base') return [first];
  const aliases = entriesWith(reader, 'objectClass', 'alias', ALIASES_MAX).filter(({ id }) => id !== base.id);
  return scope === 'one' ? childrenOf(reader, first, aliases) : subtreesOf(reader, first, aliases);
}

/** An alias right below the base stands for the one entry that it leads to. */
function childrenOf(reader: Reader, base: SearchPlace, aliases: readonly Entry[]): SearchPlace[] {
  const places = new Map<number, SearchPlace>();
  for (const alias of aliases.filter(({ parent }) => parent === base.entry.id)) {
    const entry = endOf(reader, alias);
    // The base itself is not in the scope, as at OpenLDAP's server, and its children are there without an alias.
    if (entry === undefined || entry.id === base.entry.id || entry.parent === base.entry.id) continue;
    places.set(entry.id, { entry, path: parseDn(entry.dn).path, scope: 'base' });
  }
  return [base, ...places.values()];
}

/** An alias in a subtree stands for the subtree of the entry that it leads to, whose aliases count too. */
function subtreesOf(reader: Reader, base: SearchPlace, aliases: readonly Entry[]): SearchPlace[] {
  let places = [base];
  let left = aliases.map((alias) => ({ alias, path: parseDn(alias.dn).path }));
  for (let isMore = true; isMore; ) {
    const within = left.filter(({ path }) => places.some((place) => path.startsWith(place.path)));
    left = left.filter((each) => !within.includes(each));
    isMore = within.length > 0;
    for (const { alias } of within) {
      const entry = endOf(reader, alias);
      const path = entry && parseDn(entry.dn).path;
      if (entry === undefined || path === undefined || places.some((place) => path.startsWith(place.path))) continue;
      places = [...places.filter((place) => !place.path.startsWith(path)), { entry, path, scope: 'sub' }];
    }
  }
  return places;
}

/** The entry that is no alias at the end of the way; undefined where there is none. */
function endOf(reader: Reader, alias: Entry): Entry | undefined {
  const target = targetOf(alias);
  try {
    return target && findBase(reader, target, { scope: undefined, finds: true, asEntry: false, endsAtReferral: true });
  } catch {
    return undefined;
  }
}

function targetOf(alias: Entry): Dn | undefined {
  const target = textValue(alias, 'aliasedobjectname');
  try {
    return target === undefined ? undefined : parseDn(target);
  } catch {
    return undefined;
  }
}

/** Whether the entry is the alias's target, or below it. */
function reaches(nearest: Entry | undefined, target: Dn): boolean {
  return nearest !== undefined && parseDn(nearest.dn).path.startsWith(target.path);
}

function aliasProblem(alias: Entry, text: string): Error {
  return directoryFailure('aliasProblem', text, { matchedDn: alias.dn });
}
