// What a source is asked for one at a time: who has an address, an entry by its name, who is in which groups, whether a password is right.
//
// In      the source's settings; questions from all threads
// Out     the entry is in the directory, as the source has it now, or is gone from it: then the question is answered
// Order   a search begins after its question was put: equal ones that wait share the next one. Nothing is remembered of who is
//         not there, but that somebody is in no other groups. Of who was found lately, by a source whose hold is `cache`, nothing is asked again before `waypostMaxAge`
// Errors  'unavailable' for silence, a referral, an answer that is none, a password that is refused to us; with a reply that
//         names them, for two entries with one address
// Limits  QUESTIONS_MAX on their way, RIVALS_MAX further addresses of who is found, beside one of each; BINDS_MAX that wait, none for longer than BIND_WAIT_MS; FOUND_MAX entries of an answer, GROUPS_MAX groups; a source that fails is tried again after 1 s to RETRY_MAX_MS;
//         `waypostCacheRows` entries of a cache, the one that was asked for longest ago goes; who has tokens or rules of ours stays

import { hasScheme } from '../../auth/password.ts';
import { asciiLower } from '../../base/characters.ts';
import { asFailure, Failure } from '../../base/failure.ts';
import { ADDRESS_ATTRIBUTES } from '../../directory/address-attributes.ts';
import { isAtOrBelow, parseDn } from '../../directory/dn.ts';
import { countMirrored, entryByUuid, findEntry, mirroredEntries } from '../../directory/entries.ts';
import type { Attribute, DirectoryChange, Entry, Modification } from '../../directory/entry.ts';
import { directoryFailure, isDirectoryResult } from '../../directory/failure.ts';
import { byNameText } from '../../directory/mail-view.ts';
import { entriesNaming } from '../../directory/member-values.ts';
import type { MirroredChange, MirroredEntry } from '../../directory/mirrored-change.ts';
import type { AuthorityQuestion } from '../../directory/source/authority.ts';
import { LdapConnection, resultText, type SearchAsked } from '../../directory/source/connection.ts';
import { EVERYTHING } from '../../directory/source/poll.ts';
import { addressKey, formatAddress, tryParseAddress } from '../../message/address.ts';
import { claimantsOf, contestedOf } from '../../routing/contested.ts';
import { readState } from '../../routing/generation.ts';
import { addressOfKey } from '../../routing/rows.ts';
import { readAliasDn, readRecipient } from '../../routing/tables.ts';
import { PASSWORD_MODIFY, passwordModifyRequest } from '../../wire/ldap/extended/password-modify.ts';
import type { Filter } from '../../wire/ldap/filter.ts';
import type { SearchEntry } from '../../wire/ldap/operations/search.ts';
import type { LdapResult } from '../../wire/ldap/result.ts';
import { resultCodes, resultName } from '../../wire/ldap/result-codes.ts';
import type { LdapSource } from '../ldap-source.ts';
import { takeMirrorPage } from '../mirrored.ts';
import { isOurs } from '../mirrored-guard.ts';
import { EntryMap, READ } from './mirrored-entry.ts';
import { bytesOfChanges, type MirrorParts, type MirrorStatus, serversOf } from './source-mirror.ts';

const QUESTIONS_MAX = 64;
const BINDS_MAX = 64;
/** Who has asked has left by then (server/source-calls.ts). */
const BIND_WAIT_MS = 60_000;
const FOUND_MAX = 10;
/** That somebody is in, right in them. */
const GROUPS_MAX = 500;
/** Of one answer, whose other owners are asked for; entries whose addresses lead from one to the next. */
const RIVALS_MAX = 100;
const RIVALS_ROUNDS_MAX = 4;
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 5000;
const GROUP_ATTRIBUTES = ['member', 'uniqueMember'];

/** A question's searches: one on its way, and one that all who wait share. */
interface UnderWay {
  readonly now: Promise<boolean>;
  next: Promise<boolean> | undefined;
}

/** What is here of whom a question is about. */
interface Known {
  readonly uuids: readonly string[];
  /** Keys; RIVALS_MAX at most. */
  readonly addresses: readonly string[];
}

export class SourceQuestions {
  readonly source: LdapSource;
  readonly #parts: MirrorParts;
  readonly #map: EntryMap;
  readonly #underWay = new Map<string, UnderWay>();
  /** Of a cache: when each question was last answered by an entry, the oldest first. Monotonic. */
  readonly #found = new Map<string, number>();
  /** Of a cache: entries by UUID, the one that was asked for longest ago first. */
  readonly #used = new Map<string, true>();
  #connection: Promise<LdapConnection> | undefined;
  #binding: Promise<unknown> = Promise.resolve();
  #bindsWaiting = 0;
  #binder: LdapConnection | undefined;
  #searches = 0;
  #failures = 0;
  #retryAt = 0;
  #lastError: string | undefined;

  constructor(parts: MirrorParts, source: LdapSource) {
    this.#parts = parts;
    this.source = source;
    this.#map = new EntryMap(source);
  }

  get searches(): number {
    return this.#searches;
  }

  hasSayOver(question: AuthorityQuestion): boolean {
    const { base, domains } = this.source;
    if ('dn' in question) return isAtOrBelow(parseDn(question.dn), parseDn(base));
    if ('uid' in question) return domains.includes(question.domain);
    if ('groupsOf' in question) {
      const { at } = question;
      const of = parseDn(base);
      return at.domains.some((each) => domains.includes(each)) || at.dns.some((dn) => isAtOrBelow(parseDn(dn), of));
    }
    return domains.includes(question.address.slice(question.address.lastIndexOf('@') + 1));
  }

  /** Of one whose hold is `cache`. */
  status(): MirrorStatus {
    const { name, hold, urls } = this.source;
    return {
      ...{ name, kind: 'ldap', hold, url: urls[0] ?? '', by: null, csn: null, lagMs: null, deletionLagMs: null },
      entries: countMirrored(this.#parts.reader, name),
      searches: this.#searches,
      state: this.#lastError === undefined ? 'current' : 'retrying',
      lastError: this.#lastError ?? null,
      refused: [],
    };
  }

  /** So long an entry that was found need not be asked for. Undefined: nobody was found, or all are followed. */
  async ask(question: AuthorityQuestion, isKnown: boolean): Promise<number | undefined> {
    const { hold, maxAgeMs } = this.source;
    const key = JSON.stringify(question);
    const left = hold === 'cache' && isKnown ? this.#freshFor(key) : 0;
    if (left > 0) return left;
    const isFound = await this.#shared(key, question);
    return hold === 'cache' && isFound ? maxAgeMs : undefined;
  }

  /** Whether the source lets this entry in. */
  binds(dn: string, password: Uint8Array): Promise<boolean> {
    if (this.#bindsWaiting >= BINDS_MAX)
      return Promise.reject(new Failure('unavailable', `${this.source.name}: too many logins wait for it`));
    const { clock } = this.#parts;
    const endsAt = clock.monotonic() + BIND_WAIT_MS;
    this.#bindsWaiting++;
    // An identity is the connection's: one after another.
    const tried = this.#binding.then(() => {
      this.#bindsWaiting--;
      if (clock.monotonic() >= endsAt) throw new Failure('unavailable', `${this.source.name}: nobody waits any more`);
      return this.#bind(dn, password);
    });
    this.#binding = tried.catch(() => {});
    return tried;
  }

  /** Makes a change there by our bind, and takes over what has come of it. */
  async forward(change: DirectoryChange): Promise<void> {
    const connection = await this.#open();
    for (const request of requestsOf(change)) {
      const { result } = await connection.request(request);
      if (result.resultCode !== resultCodes.success) throw refusalOf(result, this.source);
    }
    await this.ask({ dn: parseDn(change.dn).normalized }, false);
  }

  async stop(): Promise<void> {
    this.#binder?.close();
    await this.#connection?.then(
      (connection) => connection.close(),
      () => {},
    );
    await Promise.allSettled([...this.#underWay.values()].flatMap(({ now, next }) => [now, next]));
  }

  #freshFor(key: string): number {
    const at = this.#found.get(key);
    return at === undefined ? 0 : at + this.source.maxAgeMs - this.#parts.clock.monotonic();
  }

  #shared(key: string, question: AuthorityQuestion): Promise<boolean> {
    const underWay = this.#underWay.get(key);
    if (underWay !== undefined) {
      const again = (): Promise<boolean> => this.#begin(key, question);
      underWay.next ??= underWay.now.then(again, (error: unknown) => {
        // What it has said may be otherwise by now. Where it says nothing, nobody waits for it twice.
        if (asFailure(error).reply !== undefined) return again();
        this.#underWay.delete(key);
        throw error;
      });
      return underWay.next;
    }
    return this.#begin(key, question);
  }

  #begin(key: string, question: AuthorityQuestion): Promise<boolean> {
    if (this.#underWay.size >= QUESTIONS_MAX && !this.#underWay.has(key))
      return Promise.reject(new Failure('unavailable', `${this.source.name}: too many questions are on their way`));
    const underWay: UnderWay = { now: this.#search(key, question), next: undefined };
    this.#underWay.set(key, underWay);
    const over = (): void => {
      // Who waits has begun the next one in its place.
      if (this.#underWay.get(key) === underWay && underWay.next === undefined) this.#underWay.delete(key);
    };
    underWay.now.then(over, over);
    return underWay.now;
  }

  /** Whether somebody was found. */
  async #search(key: string, question: AuthorityQuestion): Promise<boolean> {
    const { uuids, addresses } = this.#knownBy(question);
    const address = addressAsked(question);
    const found = new Map<string, MirroredEntry>();
    this.#add(found, await this.#read(question, uuids, addresses));
    const meant = [...found.values()].filter((entry) => isMeant(question, entry, this.source));
    if (this.source.hold === 'cache' && !isByName(question)) await this.#readRivals(found, [...addresses, address]);
    const changes: MirroredChange[] = [...found.values()].map((entry) => {
      const isUnsure = this.source.hold === 'cache' && isByName(question) && this.#hasUnknownAddress(entry);
      return { kind: 'put', entry: isUnsure ? { ...entry, mailAs: byNameText(entry.mailAs ?? '') } : entry };
    });
    for (const uuid of uuids) if (!found.has(uuid)) changes.push({ kind: 'removal', uuid });
    await this.#take(changes);
    // Whoever is in no group may be: no refusal rests on that.
    const isAnswered = meant.length > 0 || 'groupsOf' in question;
    if (this.source.hold === 'cache') await this.#note(key, meant, isAnswered);
    const claimants = address === undefined ? [] : meant.filter((entry) => hasAddress(entry, address, this.source));
    if (claimants.length > 1) throw twice(address!, claimants);
    return isAnswered;
  }

  #add(found: Map<string, MirroredEntry>, entries: readonly SearchEntry[]): void {
    const now = this.#parts.clock.now();
    for (const entry of entries) {
      const taken = this.#map.take(entry, now);
      if (taken !== undefined) found.set(asciiLower(taken.uuid), taken);
    }
  }

  /**
   * Of a cache: who else has an address of those that were found. What an entry has beside what was asked for is its own from
   * here on, also while the source is silent.
   */
  async #readRivals(found: Map<string, MirroredEntry>, read: readonly (string | undefined)[]): Promise<void> {
    const asked = new Set(read);
    for (let round = 1; ; round++) {
      const others = [...found.values()].flatMap((entry) => addressesOf(entry, this.source));
      const unasked = [...new Set(others)].filter((address) => !asked.has(address));
      if (unasked.length === 0) return;
      if (round > RIVALS_ROUNDS_MAX || unasked.length > RIVALS_MAX + found.size)
        throw wrongThere(`Too many entries of the directory of this domain have addresses of each other`);
      for (const address of unasked) asked.add(address);
      const filters = unasked.flatMap((address) => filtersOf({ address }, this.source));
      const sizeLimit = FOUND_MAX + found.size;
      const rivals = { baseObject: this.source.base, sizeLimit, filter: { kind: 'or', filters } } as const;
      this.#add(found, await this.#searchFor(rivals));
    }
  }

  /** Of a cache, where an entry was asked for by its name: whether it has an address that nobody has been asked for. */
  #hasUnknownAddress(entry: MirroredEntry): boolean {
    const addresses = addressesOf(entry, this.source);
    if (addresses.length === 0) return false;
    const { reader } = this.#parts;
    const row = reader.snapshot(() => {
      const here = entryByUuid(reader, asciiLower(entry.uuid));
      return here && readRecipient(reader, readState(reader).generation, here.normalizedDn);
    });
    const known = [...(row?.addresses ?? []), ...contestedOf(row)];
    return row?.isByName === true || !addresses.every((key) => known.includes(key));
  }

  /** The entries here, of this source, that the question is about now: the source may have them under another address, or no more. */
  #knownBy(question: AuthorityQuestion): Known {
    const { reader } = this.#parts;
    const addresses: string[] = [];
    const entries = reader.snapshot(() => {
      if ('groupsOf' in question) {
        const groups = new Set(question.groupsOf.flatMap((each) => entriesNaming(reader, each, GROUPS_MAX)));
        return [...groups].flatMap((dn) => findEntry(reader, dn) ?? []);
      }
      const { generation } = readState(reader);
      const address = addressAsked(question);
      const names = 'dn' in question ? [question.dn] : claimantsOf(readAliasDn(reader, generation, address!));
      return names.flatMap((dn) => {
        const row = readRecipient(reader, generation, dn);
        const entry = row === null ? undefined : entryByUuid(reader, row.uuid);
        if (entry?.source === this.source.name) addresses.push(...row!.addresses, ...contestedOf(row));
        return entry ?? [];
      });
    });
    const uuids = entries.filter(({ source }) => source === this.source.name).map(({ uuid }) => uuid);
    return { uuids, addresses: addresses.slice(0, RIVALS_MAX) };
  }

  async #read(
    question: AuthorityQuestion,
    known: readonly string[],
    addresses: readonly string[],
  ): Promise<SearchEntry[]> {
    const { base } = this.source;
    const byUuid = known.map((value): Filter => ({ kind: 'equality', attribute: 'entryUUID', value }));
    if (!('dn' in question)) {
      const others = 'groupsOf' in question || this.source.hold !== 'cache' ? [] : addresses;
      const asked = new Set(others).difference(new Set([addressAsked(question)]));
      const byAddress = [...asked].flatMap((address) => filtersOf({ address }, this.source));
      const filters = [...filtersOf(question, this.source), ...byAddress, ...byUuid];
      const sizeLimit = 'groupsOf' in question ? GROUPS_MAX : FOUND_MAX;
      return this.#searchFor({ baseObject: base, sizeLimit, filter: { kind: 'or', filters } });
    }
    const named = await this.#searchFor({ baseObject: question.dn, scope: 'base', filter: EVERYTHING });
    const isThere = named.some((entry) => known.includes(asciiLower(this.#map.take(entry, 0)?.uuid ?? '')));
    if (isThere || byUuid.length === 0) return named;
    // Who had the name may have another one.
    return [...named, ...(await this.#searchFor({ baseObject: base, filter: byUuid[0]! }))];
  }

  async #searchFor(asked: SearchAsked): Promise<SearchEntry[]> {
    const connection = await this.#open();
    this.#searches++;
    this.#parts.countQuestion?.(this.source.name);
    const search = connection.search({ sizeLimit: FOUND_MAX, ...asked, attributes: READ });
    const entries: SearchEntry[] = [];
    let isReferred = false;
    try {
      for await (const item of search) {
        if (item.kind === 'entry') entries.push(item.entry);
        if (item.kind === 'reference') isReferred = true;
      }
    } catch (error) {
      throw this.#failed(asFailure(error).message);
    }
    const { result } = search.outcome;
    const isNobody = asked.scope === 'base' && result.resultCode === resultCodes.noSuchObject;
    if (result.resultCode !== resultCodes.success && !isNobody)
      throw this.#failed(`the search ends with ${resultText(result)}`);
    // Whoever is meant may be at the other server.
    if (isReferred && entries.length === 0) throw this.#failed('the search leads to another server');
    this.#lastError = undefined;
    return entries;
  }

  #failed(why: string): Failure {
    this.#lastError = why;
    return new Failure('unavailable', `${this.source.name}: ${why}`);
  }

  /** All wait for the same one; where none was to be had a moment ago, nobody waits. */
  #open(): Promise<LdapConnection> {
    this.#connection ??= this.#connect();
    return this.#connection;
  }

  async #connect(): Promise<LdapConnection> {
    const { clock, resolver } = this.#parts;
    const forget = (): void => {
      this.#connection = undefined;
    };
    if (clock.monotonic() < this.#retryAt) {
      // Not before it is given out.
      queueMicrotask(forget);
      throw this.#notThere();
    }
    try {
      const connection = await LdapConnection.open(serversOf(this.source, resolver));
      connection.whenClosed(forget);
      this.#failures = 0;
      return connection;
    } catch (error) {
      forget();
      throw this.#unreachable(error);
    }
  }

  #notThere(): Failure {
    return new Failure('unavailable', `${this.source.name}: ${this.#lastError ?? 'not there'}`);
  }

  #unreachable(error: unknown): Failure {
    this.#retryAt = this.#parts.clock.monotonic() + Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.#failures++);
    return this.#failed(asFailure(error).message);
  }

  async #bind(dn: string, password: Uint8Array): Promise<boolean> {
    if (this.#parts.clock.monotonic() < this.#retryAt) throw this.#notThere();
    const { result } = await this.#askedAt(dn, password).catch((error: unknown) => {
      throw this.#unreachable(error);
    });
    if (result.resultCode === resultCodes.success) return true;
    if (NO.has(result.resultCode)) return false;
    throw this.#failed(`a bind ends with ${resultText(result)}`);
  }

  async #askedAt(dn: string, password: Uint8Array) {
    if (this.#binder?.isOpen !== true) {
      const { login: _, password: __, ...servers } = serversOf(this.source, this.#parts.resolver);
      this.#binder = await LdapConnection.open(servers);
    }
    return this.#binder.bind(dn, password);
  }

  async #take(changes: readonly MirroredChange[]): Promise<void> {
    if (changes.length === 0) return;
    const { writer, clock } = this.#parts;
    const { name: source, dn: author } = this.source;
    try {
      await writer.execute(takeMirrorPage, { source, author, changes, now: clock.now() }, bytesOfChanges(changes));
    } catch (error) {
      const failure = asFailure(error);
      if (failure.kind === 'unavailable' || failure.kind === 'full') throw failure;
      throw wrongThere(`An entry of the directory of this domain cannot stand here: ${failure.message}`);
    }
  }

  /** What a cache has been asked for: when, and what goes in its place. */
  async #note(key: string, meant: readonly MirroredEntry[], isAnswered: boolean): Promise<void> {
    this.#found.delete(key);
    if (!isAnswered) return;
    const { cacheRows, name } = this.source;
    this.#found.set(key, this.#parts.clock.monotonic());
    if (this.#found.size > cacheRows) this.#found.delete(this.#found.keys().next().value!);
    for (const { uuid } of meant) {
      this.#used.delete(uuid);
      this.#used.set(uuid, true);
    }
    const { reader } = this.#parts;
    const over = countMirrored(reader, name) - cacheRows;
    if (over <= 0) return;
    const gone = new Set<string>();
    // One that goes because of the rows has lost no address: who has it too would have it alone.
    const give = (uuid: string): void => {
      const together = [...this.#withRivals(uuid)];
      const stays = together.some((each) => hasOurs(entryByUuid(reader, each)));
      if (stays || meant.some((entry) => together.includes(asciiLower(entry.uuid)))) return;
      for (const each of together) gone.add(each);
    };
    // Those of before the start have been asked for longest ago.
    for (const { uuid } of mirroredEntries(reader, name, 0, over + meant.length))
      if (!this.#used.has(uuid) && gone.size < over) give(uuid);
    for (const uuid of this.#used.keys()) {
      if (gone.size >= over) break;
      give(uuid);
    }
    for (const uuid of gone) this.#used.delete(uuid);
    await this.#take([...gone].map((uuid) => ({ kind: 'removal', uuid })));
  }

  /** The entry, and those that have an address with it. */
  #withRivals(uuid: string): ReadonlySet<string> {
    const { reader } = this.#parts;
    const together = new Set([uuid]);
    reader.snapshot(() => {
      const { generation } = readState(reader);
      for (const each of together) {
        const entry = entryByUuid(reader, each);
        const row = entry && readRecipient(reader, generation, entry.normalizedDn);
        const names = contestedOf(row).flatMap((key) => claimantsOf(readAliasDn(reader, generation, key)));
        for (const dn of names) together.add(readRecipient(reader, generation, dn)?.uuid ?? each);
      }
    });
    return together;
  }
}

/** What the source does not have: tokens, rules. */
function hasOurs(entry: Entry | undefined): boolean {
  return [...(entry?.attributes.keys() ?? [])].some(isOurs);
}

type OneRequest = Parameters<LdapConnection['request']>[0];

/** A clear password is set by the operation for it: the server makes its own hash of it. */
function requestsOf(change: DirectoryChange): readonly OneRequest[] {
  switch (change.kind) {
    case 'add': {
      const isClear = ({ name, values }: Attribute): boolean =>
        asciiLower(name) === 'userpassword' && values.length === 1 && !hasScheme(values[0]!);
      const attributes = change.attributes.filter((each) => !isClear(each));
      return [{ ...change, attributes }, ...change.attributes.filter(isClear).map((each) => setting(change.dn, each))];
    }
    case 'delete':
      return [change];
    case 'rename':
      return [{ ...change, kind: 'modifyDn' }];
    case 'modify': {
      const isSet = ({ operation, attribute, values }: Modification): boolean =>
        operation === 'replace' && asciiLower(attribute) === 'userpassword' && values.length === 1;
      const plain = change.modifications.filter((each) => !isSet(each) || hasScheme(each.values[0]!));
      const passwords = change.modifications.filter((each) => !plain.includes(each));
      const set = passwords.map((each) => setting(change.dn, each));
      return plain.length === 0 ? set : [{ ...change, modifications: plain }, ...set];
    }
    default:
      return change satisfies never;
  }
}

function setting(identity: string, { values }: Pick<Attribute, 'values'>): OneRequest {
  const value = passwordModifyRequest.encode({ identity, newPassword: values[0]! });
  return { kind: 'extended', name: PASSWORD_MODIFY, value };
}

/** What the other server has against a change, as our own says it. */
function refusalOf(result: LdapResult, { name }: LdapSource): Failure {
  const said = `${name} refuses it: ${resultText(result)}`;
  const known = resultName(result.resultCode);
  return known !== undefined && isDirectoryResult(known)
    ? directoryFailure(known, said)
    : new Failure('unavailable', said);
}

/** Results of a bind that are about who binds, and not about the moment. */
const NO: ReadonlySet<number> = new Set([
  resultCodes.invalidCredentials,
  resultCodes.inappropriateAuthentication,
  resultCodes.noSuchObject,
  resultCodes.unwillingToPerform,
  resultCodes.insufficientAccessRights,
]);

/** One of ours is another attribute there. */
function theirName({ attributes }: LdapSource, ours: string): string {
  return attributes.find(([name]) => asciiLower(name) === asciiLower(ours))?.[1] ?? ours;
}

function filtersOf(question: Exclude<AuthorityQuestion, { readonly dn: string }>, source: LdapSource): Filter[] {
  const equal = (ours: string, value: string): Filter => ({
    kind: 'equality',
    attribute: theirName(source, ours),
    value,
  });
  if ('address' in question) return addressFilters(question.address, equal);
  if ('groupsOf' in question)
    return question.groupsOf.flatMap((each) =>
      isDn(each)
        ? GROUP_ATTRIBUTES.map((ours) => equal(ours, each))
        : equal('mgrpRFC822MailMember', formatAddress(addressOfKey(each))),
    );
  return [equal('uid', question.uid), ...addressFilters(`${asciiLower(question.uid)}@${question.domain}`, equal)];
}

/** The key of an address has no sign of equality in its domain. */
function isDn(groupMember: string): boolean {
  return groupMember.includes('=', groupMember.lastIndexOf('@'));
}

function addressFilters(key: string, equal: (ours: string, value: string) => Filter): Filter[] {
  return ADDRESS_ATTRIBUTES.map((ours) => equal(ours, formatAddress(addressOfKey(key))));
}

/** Whom the search has found for the question, not because it was known here. */
function isMeant(question: AuthorityQuestion, entry: MirroredEntry, source: LdapSource): boolean {
  if ('dn' in question) return parseDn(entry.dn).normalized === question.dn;
  if ('groupsOf' in question) return true;
  if ('uid' in question && valuesOf(entry, 'uid', source).includes(asciiLower(question.uid))) return true;
  return hasAddress(entry, addressAsked(question)!, source);
}

/** Not by an address: others may have those of who is found. */
function isByName(question: AuthorityQuestion): boolean {
  return 'dn' in question || 'groupsOf' in question;
}

/** The key of the address that is asked for. */
function addressAsked(question: AuthorityQuestion): string | undefined {
  if ('dn' in question || 'groupsOf' in question) return undefined;
  return 'address' in question ? question.address : `${asciiLower(question.uid)}@${question.domain}`;
}

function hasAddress(entry: MirroredEntry, key: string, source: LdapSource): boolean {
  const wanted = asciiLower(formatAddress(addressOfKey(key)));
  return ADDRESS_ATTRIBUTES.some((ours) => valuesOf(entry, ours, source).includes(wanted));
}

/** Keys of those that are in domains of the source. */
function addressesOf(entry: MirroredEntry, source: LdapSource): string[] {
  const texts = ADDRESS_ATTRIBUTES.flatMap((ours) => valuesOf(entry, ours, source));
  const addresses = texts.flatMap((text) => tryParseAddress(text.trim()) ?? []);
  return addresses.filter(({ domain }) => source.domains.includes(domain)).map(addressKey);
}

/** In lower case. */
function valuesOf({ attributes }: MirroredEntry, ours: string, source: LdapSource): string[] {
  const theirs = asciiLower(theirName(source, ours));
  const values = attributes.filter(({ name }) => asciiLower(name) === theirs).flatMap((each) => each.values);
  return values.filter((value) => typeof value === 'string').map(asciiLower);
}

function twice(address: string, entries: readonly MirroredEntry[]): Failure {
  return wrongThere(`${address} is the address of two entries: ${entries.map(({ dn }) => dn).join(' and ')}`);
}

function wrongThere(text: string): Failure {
  return new Failure('unavailable', text, { reply: { code: 451, enhanced: '4.3.5', text } });
}
