// What a source is asked for one at a time: who has an address, an entry by its name, whether a password is right.
//
// In      the source's settings; questions from all threads
// Out     the entry is in the directory, as the source has it now, or is gone from it: then the question is answered
// Order   a search begins after its question was put: equal ones that wait share the next one. Nothing is remembered of who is
//         not there. Of who was found lately, by a source whose hold is `cache`, nothing is asked again before `waypostMaxAge`
// Errors  'unavailable' for silence, a referral, an answer that is none, a password that is refused to us; with a reply that
//         names them, for two entries with one address
// Limits  QUESTIONS_MAX on their way; BINDS_MAX that wait, none for longer than BIND_WAIT_MS; FOUND_MAX entries of an answer; a source that fails is tried again after 1 s to RETRY_MAX_MS;
//         `waypostCacheRows` entries of a cache, the one that was asked for longest ago goes

import { hasScheme } from '../../auth/password.ts';
import { asciiLower } from '../../base/characters.ts';
import { asFailure, Failure } from '../../base/failure.ts';
import { isAtOrBelow, parseDn } from '../../directory/dn.ts';
import { countMirrored, entryByUuid, mirroredEntries } from '../../directory/entries.ts';
import type { Attribute, DirectoryChange, Modification } from '../../directory/entry.ts';
import { directoryFailure, isDirectoryResult } from '../../directory/failure.ts';
import type { MirroredChange, MirroredEntry } from '../../directory/mirrored-change.ts';
import type { AuthorityQuestion } from '../../directory/source/authority.ts';
import { LdapConnection, resultText, type SearchAsked } from '../../directory/source/connection.ts';
import { EVERYTHING } from '../../directory/source/poll.ts';
import { formatAddress } from '../../message/address.ts';
import { readState } from '../../routing/generation.ts';
import { addressOfKey } from '../../routing/rows.ts';
import { readAlias, readRecipient } from '../../routing/tables.ts';
import { PASSWORD_MODIFY, passwordModifyRequest } from '../../wire/ldap/extended/password-modify.ts';
import type { Filter } from '../../wire/ldap/filter.ts';
import type { SearchEntry } from '../../wire/ldap/operations/search.ts';
import type { LdapResult } from '../../wire/ldap/result.ts';
import { resultCodes, resultName } from '../../wire/ldap/result-codes.ts';
import type { LdapSource } from '../ldap-source.ts';
import { takeMirrorPage } from '../mirrored.ts';
import { EntryMap, READ } from './mirrored-entry.ts';
import { bytesOfChanges, type MirrorParts, type MirrorStatus, serversOf } from './source-mirror.ts';

const QUESTIONS_MAX = 64;
const BINDS_MAX = 64;
/** Who has asked has left by then (server/source-calls.ts). */
const BIND_WAIT_MS = 60_000;
const FOUND_MAX = 10;
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 5000;
const ADDRESS_ATTRIBUTES = ['mail', 'mailAlternateAddress', 'mailEquivalentAddress'];

/** A question's searches: one on its way, and one that all who wait share. */
interface UnderWay {
  readonly now: Promise<boolean>;
  next: Promise<boolean> | undefined;
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
      underWay.next ??= underWay.now.then(again, again);
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
    const known = this.#knownBy(question);
    const now = this.#parts.clock.now();
    const puts: MirroredEntry[] = [];
    for (const entry of await this.#read(question, known)) {
      const taken = this.#map.take(entry, now);
      if (taken !== undefined) puts.push(taken);
    }
    const meant = puts.filter((entry) => isMeant(question, entry, this.source));
    if (meant.length > 1 && 'address' in question) throw twice(question.address, meant);
    const changes: MirroredChange[] = puts.map((entry) => ({ kind: 'put', entry }));
    if (known !== undefined && !puts.some(({ uuid }) => asciiLower(uuid) === known))
      changes.push({ kind: 'removal', uuid: known });
    await this.#take(changes);
    if (this.source.hold === 'cache') await this.#note(key, meant);
    return meant.length > 0;
  }

  /** The entry here, of this source, that the question finds now: the source may have it under another address, or no more. */
  #knownBy(question: AuthorityQuestion): string | undefined {
    const { reader } = this.#parts;
    const uuid = reader.snapshot(() => {
      const { generation } = readState(reader);
      if ('dn' in question) return readRecipient(reader, generation, question.dn)?.uuid;
      const key = 'address' in question ? question.address : `${asciiLower(question.uid)}@${question.domain}`;
      return readAlias(reader, generation, key)?.row.uuid;
    });
    const entry = uuid === undefined ? undefined : entryByUuid(reader, uuid);
    return entry?.source === this.source.name ? entry.uuid : undefined;
  }

  async #read(question: AuthorityQuestion, known: string | undefined): Promise<SearchEntry[]> {
    const { base } = this.source;
    const byUuid: Filter[] = known === undefined ? [] : [{ kind: 'equality', attribute: 'entryUUID', value: known }];
    if (!('dn' in question)) {
      const filters = [...filtersOf(question, this.source), ...byUuid];
      return this.#searchFor({ baseObject: base, filter: { kind: 'or', filters } });
    }
    const named = await this.#searchFor({ baseObject: question.dn, scope: 'base', filter: EVERYTHING });
    if (named.length > 0 || byUuid.length === 0) return named;
    return this.#searchFor({ baseObject: base, filter: byUuid[0]! });
  }

  async #searchFor(asked: SearchAsked): Promise<SearchEntry[]> {
    const connection = await this.#open();
    this.#searches++;
    this.#parts.countQuestion?.(this.source.name);
    const search = connection.search({ ...asked, sizeLimit: FOUND_MAX, attributes: READ });
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
      throw new Failure('unavailable', `${this.source.name}: ${this.#lastError ?? 'not there'}`);
    }
    try {
      const connection = await LdapConnection.open(serversOf(this.source, resolver));
      connection.whenClosed(forget);
      this.#failures = 0;
      return connection;
    } catch (error) {
      forget();
      this.#retryAt = clock.monotonic() + Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.#failures++);
      throw this.#failed(asFailure(error).message);
    }
  }

  async #bind(dn: string, password: Uint8Array): Promise<boolean> {
    if (this.#binder?.isOpen !== true) {
      const { login: _, password: __, ...servers } = serversOf(this.source, this.#parts.resolver);
      this.#binder = await LdapConnection.open(servers);
    }
    const { result } = await this.#binder.bind(dn, password);
    if (result.resultCode === resultCodes.success) return true;
    if (NO.has(result.resultCode)) return false;
    throw this.#failed(`a bind ends with ${resultText(result)}`);
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
  async #note(key: string, meant: readonly MirroredEntry[]): Promise<void> {
    this.#found.delete(key);
    if (meant.length === 0) return;
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
    const gone: string[] = [];
    // Those of before the start have been asked for longest ago.
    for (const { uuid } of mirroredEntries(reader, name, 0, over + meant.length))
      if (!this.#used.has(uuid) && gone.length < over) gone.push(uuid);
    for (const uuid of this.#used.keys()) {
      if (gone.length >= over) break;
      if (!meant.some((entry) => entry.uuid === uuid)) gone.push(uuid);
    }
    for (const uuid of gone) this.#used.delete(uuid);
    await this.#take(gone.map((uuid) => ({ kind: 'removal', uuid })));
  }
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
  return [equal('uid', question.uid), ...addressFilters(`${asciiLower(question.uid)}@${question.domain}`, equal)];
}

function addressFilters(key: string, equal: (ours: string, value: string) => Filter): Filter[] {
  return ADDRESS_ATTRIBUTES.map((ours) => equal(ours, formatAddress(addressOfKey(key))));
}

/** Whom the search has found for the question, not because it was known here. */
function isMeant(question: AuthorityQuestion, entry: MirroredEntry, source: LdapSource): boolean {
  if ('dn' in question) return parseDn(entry.dn).normalized === question.dn;
  const has = (ours: string, wanted: string): boolean => {
    const theirs = asciiLower(theirName(source, ours));
    return entry.attributes.some(
      ({ name, values }) =>
        asciiLower(name) === theirs &&
        values.some((value) => typeof value === 'string' && asciiLower(value) === wanted),
    );
  };
  if ('uid' in question && has('uid', asciiLower(question.uid))) return true;
  const key = 'address' in question ? question.address : `${asciiLower(question.uid)}@${question.domain}`;
  const wanted = asciiLower(formatAddress(addressOfKey(key)));
  return ADDRESS_ATTRIBUTES.some((ours) => has(ours, wanted));
}

function twice(address: string, entries: readonly MirroredEntry[]): Failure {
  return wrongThere(`${address} is the address of two entries: ${entries.map(({ dn }) => dn).join(' and ')}`);
}

function wrongThere(text: string): Failure {
  return new Failure('unavailable', text, { reply: { code: 451, enhanced: '4.3.5', text } });
}
