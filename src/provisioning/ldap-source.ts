// Another directory whose people have their mail here: `cn=NAME,ou=Sources`, class waypostLdapSource, and its domains.
//
// In      an entry, as it is and as a change makes it
// Out     the source as a value; the domain entries that it brings, each with the source's base and mark; what one may not say
// Rules   a source's base lies in nothing of ours and in no other source's. A domain that a source does not list any more
//         keeps its entry, under another mark: its mail waits. What was mirrored stays when the source's entry goes, and is
//         ours from then on

import { asciiLower } from '../base/characters.ts';
import { durationMs } from '../base/duration.ts';
import { Failure } from '../base/failure.ts';
import type { Transaction } from '../database/operation.ts';
import { applyChange } from '../directory/apply-change.ts';
import { dcDnOfDomain, escapeDnValue, isAtOrBelow, parseDn } from '../directory/dn.ts';
import { childrenIn, entriesBelowIn, entriesWithIn, findEntryIn, nearestEntryIn } from '../directory/entries.ts';
import {
  type Attribute,
  type ChangedEntry,
  type DirectoryChange,
  type Entry,
  hasClass,
  textValue,
  textValues,
} from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import { illegality } from '../directory/legal-values.ts';
import { asksOthers, unanswerableIn } from '../directory/match.ts';
import { schema } from '../directory/schema.ts';
import { isLoopback, parseServerUrl } from '../directory/source/server-url.ts';
import { normalizeDomain } from '../message/address.ts';
import { LDAP_SOURCE_MARK, UNLISTED_MARK } from '../routing/compile.ts';
import { containerDn, nameIn } from '../routing/containers.ts';
import { parseFilter } from '../wire/ldap/filter-text.ts';
import { addMissingNodes, takeOver } from './generated.ts';
import type { WriteOptions } from './write-options.ts';

export interface LdapSource {
  readonly name: string;
  /** Of its entry. */
  readonly dn: string;
  /** In the order in which they are tried. */
  readonly urls: readonly string[];
  readonly startTls: boolean;
  /** PEM; undefined: the authorities that this machine trusts. */
  readonly ca: string | undefined;
  readonly login: string | undefined;
  readonly password: string | undefined;
  readonly base: string;
  readonly domains: readonly string[];
  readonly schema: 'inetorgperson' | 'sun';
  readonly hold: 'mirror' | 'cache';
  readonly cacheRows: number;
  readonly maxAgeMs: number;
  readonly pollMs: number;
  readonly write: 'refuse' | 'forward';
  /** Ours is theirs. */
  readonly attributes: readonly (readonly [ours: string, theirs: string])[];
  readonly userFilter: string | undefined;
  readonly groupFilter: string | undefined;
}

const CLASS = 'waypostldapsource';
const CACHE_ROWS = 100_000;
const MAX_AGE = '5m';
const POLL = '30s';
/** Sources that are looked at for a base that overlaps. */
const SOURCES_MAX = 1000;
const DOMAINS_MAX = 10_000;

export function ldapSourceDn(name: string): string {
  return `cn=${escapeDnValue(name)},${containerDn('sources')}`;
}

/** Undefined for an entry that is none. */
export function ldapSourceOf(entry: Entry): LdapSource | undefined {
  const name = nameIn('sources', entry);
  if (name === undefined || !hasClass(entry, CLASS)) return undefined;
  return sourceNamed(name, entry);
}

/** Of an entry that has no place yet, as a file has it. */
function sourceNamed(name: string, entry: Pick<Entry, 'dn' | 'attributes'>): LdapSource {
  const text = (key: string): string | undefined => textValue(entry, key)?.trim();
  const word = (key: string): string => asciiLower(text(key) ?? '');
  const domains = textValues(entry, 'waypostsourcedomain').flatMap((value) => normalizeDomain(value.trim()) ?? []);
  const secret = entry.attributes.get('waypostsecret')?.values[0];
  const certificates = textValues(entry, 'waypostca');
  return {
    name,
    dn: entry.dn,
    urls: textValues(entry, 'wayposturl').map((value) => value.trim()),
    startTls: text('waypoststarttls') === 'TRUE',
    ca: certificates.length === 0 ? undefined : certificates.join('\n'),
    login: text('waypostlogin'),
    password: secret === undefined || typeof secret === 'string' ? secret : Buffer.from(secret).toString('utf8'),
    base: text('waypostbase') ?? '',
    domains: [...new Set(domains)],
    schema: word('waypostsourceschema') === 'sun' ? 'sun' : 'inetorgperson',
    hold: word('wayposthold') === 'cache' ? 'cache' : 'mirror',
    cacheRows: Number(text('waypostcacherows') ?? CACHE_ROWS),
    maxAgeMs: durationMs(text('waypostmaxage') ?? MAX_AGE),
    pollMs: durationMs(text('waypostpoll') ?? POLL),
    write: word('waypostwrite') === 'forward' ? 'forward' : 'refuse',
    attributes: textValues(entry, 'waypostattribute').flatMap((value): [string, string][] => {
      const [ours, theirs] = value.trim().split('=');
      return ours === undefined || theirs === undefined ? [] : [[ours, theirs]];
    }),
    userFilter: text('waypostuserfilter'),
    groupFilter: text('waypostgroupfilter'),
  };
}

/** Of the record that would add it. Throws as the addition would. */
export function sourceOfChange(change: DirectoryChange): LdapSource {
  const name = parseDn(change.dn).rdns[0]?.avas[0]?.value;
  if (change.kind !== 'add' || typeof name !== 'string') throw illegal('A record that adds a source is expected');
  const attributes = new Map<string, Attribute>();
  for (const attribute of change.attributes) {
    const key = schema().description(attribute.name)?.key;
    if (key === undefined) throw illegal(`${attribute.name} is not an attribute`);
    for (const value of attribute.values) {
      const legal = illegality(key, value);
      if (legal !== undefined) throw illegal(`${attribute.name}: ${String(value)} is not legal; ${legal}`);
    }
    const before = attributes.get(key)?.values ?? [];
    attributes.set(key, { name: attribute.name, values: [...before, ...attribute.values] });
  }
  const entry = { dn: change.dn, attributes };
  if (!hasClass(entry, CLASS)) throw illegal('The record is not of the class waypostLdapSource');
  const source = sourceNamed(asciiLower(name), entry);
  checkValues(source);
  return source;
}

/** A check of changes (checks.ts). */
export async function checkLdapSource(tx: Transaction, { after }: ChangedEntry): Promise<void> {
  if (after === undefined || !hasClass(after, CLASS)) return;
  const source = ldapSourceOf(after);
  if (source === undefined)
    throw directoryFailure('namingViolation', `A source stands right below ${containerDn('sources')}, as cn=NAME`);
  checkValues(source);
  await checkBase(tx, source);
}

/** What is wrong with a source whatever else the directory has. */
function checkValues({ urls, startTls, login, base, cacheRows, userFilter, groupFilter }: LdapSource): void {
  for (const text of urls) {
    const url = named('waypostUrl', () => parseServerUrl(text));
    if (login !== undefined && !url.isSecure && !startTls && !isLoopback(url.host))
      throw illegal(`waypostUrl: ${text} would carry a password in clear text; legal are ldaps: and waypostStartTls`);
  }
  if (parseDn(base).rdns.length === 0) throw illegal('waypostBase: the empty name is no base');
  if (!(cacheRows > 0)) throw illegal('waypostCacheRows: legal is a number from 1');
  checkFilter('waypostUserFilter', userFilter);
  checkFilter('waypostGroupFilter', groupFilter);
}

/** One that no entry fulfils would leave everybody there without mail, and say nothing. */
function checkFilter(attribute: string, text: string | undefined): void {
  if (text === undefined) return;
  const filter = parseFilter(text);
  const unknown = unanswerableIn(filter);
  if (unknown !== undefined)
    throw illegal(`${attribute}: nobody would match, the schema here does not know ${unknown}, or no such rule of it`);
  if (asksOthers(filter))
    throw illegal(
      `${attribute}: legal are attributes of the entry; a change of a group is none of its members, so memberOf cannot be followed`,
    );
}

async function checkBase(tx: Transaction, { name, base }: LdapSource): Promise<void> {
  const dn = parseDn(base);
  const nearest = await nearestEntryIn(tx, dn);
  const { entries } = await entriesBelowIn(tx, dn, undefined, 1);
  const rival = [nearest, ...entries].find((entry) => entry !== undefined && entry.source !== name);
  if (rival !== undefined) throw illegal(`waypostBase: ${base} overlaps with ${rival.dn}, which is not this source's`);
  const container = await findEntryIn(tx, containerDn('sources'));
  for (const entry of container === undefined ? [] : await childrenIn(tx, container.id, SOURCES_MAX)) {
    const other = ldapSourceOf(entry);
    if (other === undefined || other.name === name) continue;
    const theirs = parseDn(other.base);
    if (isAtOrBelow(dn, theirs) || isAtOrBelow(theirs, dn))
      throw illegal(`waypostBase: ${base} overlaps with that of the source ${other.name}`);
  }
}

function named<T>(attribute: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof Failure ? illegal(`${attribute}: ${error.message}`) : error;
  }
}

function illegal(text: string): Error {
  return directoryFailure('invalidAttributeSyntax', text);
}

/** Written along with a source (along.ts): its domains, and those that it lists no more. */
export async function markSourceDomains(
  tx: Transaction,
  { before, after }: ChangedEntry,
  options: WriteOptions,
): Promise<readonly ChangedEntry[]> {
  const [was, is] = [before && ldapSourceOf(before), after && ldapSourceOf(after)];
  if (was === undefined && is === undefined) return [];
  const made: ChangedEntry[] = [];
  for (const domain of is?.domains ?? []) made.push(...(await bringDomain(tx, is!, domain, options)));
  const name = (is ?? was)!.name;
  for (const entry of await entriesWithIn(tx, 'waypostSource', `${LDAP_SOURCE_MARK}${name}`, DOMAINS_MAX)) {
    if (is?.domains.some((domain) => parseDn(dcDnOfDomain(domain)).normalized === entry.normalizedDn) === true)
      continue;
    made.push(await replace(tx, entry, [['waypostSource', `${UNLISTED_MARK}${name}`]], options));
  }
  return made;
}

async function bringDomain(
  tx: Transaction,
  { name, base }: LdapSource,
  domain: string,
  options: WriteOptions,
): Promise<ChangedEntry[]> {
  const dn = parseDn(dcDnOfDomain(domain));
  const mark = `${LDAP_SOURCE_MARK}${name}`;
  const attributes = [
    { name: 'objectClass', values: ['domain', 'inetDomain', 'mailDomain', 'waypostDomain'] },
    { name: 'dc', values: [domain.slice(0, `${domain}.`.indexOf('.'))] },
    { name: 'inetDomainBaseDN', values: [base] },
    { name: 'waypostSource', values: [mark] },
  ];
  const existing = await findEntryIn(tx, dn);
  if (existing === undefined) {
    const nodes = await addMissingNodes(tx, dn, options);
    return [...nodes, await applyChange(tx, { kind: 'add', dn: dn.text, attributes }, options)];
  }
  const taken = takeOver(existing, attributes);
  if (taken !== undefined) return [await applyChange(tx, taken, { ...options, takesOver: true })];
  const source = textValue(existing, 'waypostsource');
  if (source !== mark && source !== `${UNLISTED_MARK}${name}`)
    throw directoryFailure('entryAlreadyExists', `waypostSourceDomain: ${domain} is a domain here already`);
  if (source === mark && textValue(existing, 'inetdomainbasedn') === base) return [];
  const values = [['inetDomainBaseDN', base] as const, ['waypostSource', mark] as const];
  return [await replace(tx, existing, values, options)];
}

function replace(
  tx: Transaction,
  { dn }: Entry,
  values: readonly (readonly [attribute: string, value: string])[],
  options: WriteOptions,
): Promise<ChangedEntry> {
  const modifications = values.map(([attribute, value]) => ({
    operation: 'replace' as const,
    attribute,
    values: [value],
  }));
  return applyChange(tx, { kind: 'modify', dn, modifications }, options);
}
