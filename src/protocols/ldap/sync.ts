// A search with the sync request control: what its client lacks, and with refreshAndPersist what changes from then on.
//
// In      the search, seen and allowed as any other; the client's cookie
// Out     a refresh: from nothing, or from a cookie that says nothing here, all entries, superiors first; else the changes since.
//         Then its end, or what follows each published revision until the client abandons it, cancels it, or leaves
// Limits  so many that never end (endless.ts); UUIDS_MAX deletions a message of a refresh; later ones are one each. Nothing is kept for the client: the log is read at its speed (directory/feed.ts)
// Errors  `syncRefreshRequired` for a cookie that is too old, never to who has given the reload hint: OpenLDAP's server would
//         stop for good. Who follows already and must begin anew gets `busy`, and its cookie is too old then: also who has got
//         another name, where it sees another thing by that
// Never   gives what is computed of other entries than its own: memberOf, hasSubordinates, contextCSN
// RFC 4533, RFC 3909

import type { Revision } from '../../base/ids.ts';
import type { Reader } from '../../database/operation.ts';
import { isServer } from '../../directory/access/is-server.ts';
import { type Sight, sightOf } from '../../directory/access/sight.ts';
import { type SightMark, sightMark } from '../../directory/access/sight-mark.ts';
import { ANONYMOUS, type Caller, callerOf } from '../../directory/caller.ts';
import { loggedAt, newestChange, wasRenamedSince } from '../../directory/change-log.ts';
import { formatCsn } from '../../directory/csn.ts';
import { parseDn } from '../../directory/dn.ts';
import { entryByUuid, getEntry, rootNames } from '../../directory/entries.ts';
import type { Entry } from '../../directory/entry.ts';
import { Feed, type FeedPosition, type FeedStep } from '../../directory/feed.ts';
import { asksOthers, type MatchContext } from '../../directory/match.ts';
import type { OperationalContext } from '../../directory/operational.ts';
import { isReferral, referralUris } from '../../directory/referrals.ts';
import { Search } from '../../directory/search.ts';
import type { SearchPlace } from '../../directory/search-base.ts';
import { searchLimitsOf } from '../../directory/search-limits.ts';
import { controlOf } from '../../wire/ldap/controls/codec.ts';
import { type SyncRequest, type SyncState, syncDone, syncState } from '../../wire/ldap/controls/sync.ts';
import { ZONE_MARKS } from '../../wire/ldap/controls/zone-marks.ts';
import { SYNC_INFO, type SyncInfo, syncInfo } from '../../wire/ldap/extended/sync-info.ts';
import { type LdapResult, result } from '../../wire/ldap/result.ts';
import { encodeZonesTold, type PageWithZones, ZoneNews, type ZonesTold } from '../../zones/told.ts';
import type { LdapFinal } from './conversation.ts';
import { countEndless } from './endless.ts';
import { type AskedSearch, giveWanted, type Turns } from './search-turns.ts';
import { parseSyncCookie } from './sync-cookie.ts';

/** Entries that are read between two looks at the clock. */
const PAGE_ENTRIES = 64;
const UUIDS_MAX = 500;

/** `asked`: the base is there, and seen. */
export async function follow(asked: AskedSearch, clock: Turns, sync: SyncRequest): Promise<LdapFinal> {
  const { operation, request, session } = asked;
  const { paged, sort, proxied } = operation.asked;
  // Whether who has bound may still act for the other is not asked again later.
  if (proxied !== undefined && !isServer(session.door.reader, session.login?.now() ?? ANONYMOUS))
    return { result: result('unwillingToPerform', 'Only another server may follow for somebody else') };
  if (paged?.isCritical === true || sort?.isCritical === true)
    return { result: result('unavailableCriticalExtension', 'What is followed comes neither in pages nor sorted') };
  if (request.derefAliases === 'searching' || request.derefAliases === 'always')
    return { result: result('protocolError', 'What is followed is one part of the tree, without aliases') };
  if (asksOthers(request.filter))
    return { result: result('unwillingToPerform', 'The filter asks for what follows from other entries') };
  const mark = sightMark(session.door.reader, operation.caller);
  if (mark === undefined)
    return { result: result('unwillingToPerform', 'What you may see rests on other entries: it cannot be followed') };
  const following = new Following(asked, clock, sync);
  if (sync.mode === 'refreshOnly') return following.carryOut(mark);
  const { refused, release } = countEndless(asked);
  if (refused !== undefined) return { result: refused };
  try {
    return await following.carryOut(mark);
  } finally {
    release();
  }
}

/** What an entry was read with. */
interface Seen {
  readonly context: MatchContext;
  readonly sight: Sight;
}

class Following {
  readonly #asked: AskedSearch;
  readonly #clock: Turns;
  readonly #sync: SyncRequest;
  readonly #rid: string;
  readonly #position: FeedPosition | 'unknown' | undefined;
  /** Deletions that are told together. */
  #gone: string[] = [];
  /** An entry, or the end of the refresh. */
  #hasGiven = false;
  /** For another server, from the end of its refresh on. */
  #zones: ZoneNews | undefined;

  constructor(asked: AskedSearch, clock: Turns, sync: SyncRequest) {
    const { rid, position } = parseSyncCookie(sync.cookie);
    this.#asked = asked;
    this.#clock = clock;
    this.#sync = sync;
    this.#rid = rid;
    this.#position = position;
  }

  async carryOut(mark: SightMark): Promise<LdapFinal> {
    const from = this.#goodPosition(mark);
    if (from === undefined && this.#position !== undefined && !this.#sync.reloadHint)
      return { result: result('syncRefreshRequired', 'The cookie is too old: begin with none') };
    const begins = from ?? this.#newest();
    const limited = from === undefined ? await this.#giveAll() : undefined;
    if (limited !== undefined) return { result: limited };
    let feed = this.#feedFrom(begins);
    // Behind all entries: who has moved past the walk. What has gone meanwhile is told behind the refresh.
    if (!(await this.#catchUp(feed, { mark, isRefresh: true, isPresent: from === undefined })))
      return this.#begunAnew();
    const upTo = feed.position.revision;
    if (from === undefined) feed = this.#feedFrom(begins);
    // Of one who is told deletions all that has moved meanwhile comes before the end of the refresh.
    if ((await this.#beginZones(upTo, feed.position.revision)) && from !== undefined)
      if (!(await this.#catchUp(feed, { mark, isRefresh: true, isPresent: false }))) return this.#begunAnew();
    const refreshDeletes = from !== undefined;
    const cookie = this.#cookie(feed.position);
    if (this.#sync.mode === 'refreshOnly')
      return { result: result('success'), controls: [controlOf(syncDone, { cookie, refreshDeletes })] };
    await this.#say({ kind: refreshDeletes ? 'refreshDelete' : 'refreshPresent', cookie, refreshDone: true });
    return this.#persist(feed, mark);
  }

  async #persist(feed: Feed, mark: SightMark): Promise<LdapFinal> {
    const { operation, session } = this.#asked;
    session.neverEnds(operation);
    this.#hasGiven = true;
    const follower = serverOf(this.#asked);
    if (follower === undefined) return this.#persistently(feed, mark);
    session.door.followed(follower, true);
    try {
      return await this.#persistently(feed, mark);
    } finally {
      session.door.followed(follower, false);
    }
  }

  async #persistently(feed: Feed, mark: SightMark): Promise<LdapFinal> {
    const { operation, session } = this.#asked;
    while (!operation.isAborted) {
      const changed = session.door.nextRevision();
      const { revision } = feed.position;
      if (!(await this.#catchUp(feed, { mark, isRefresh: false, isPresent: false }))) return this.#begunAnew();
      if (feed.position.revision !== revision) {
        await this.#say({ kind: 'newCookie', cookie: this.#cookie(feed.position) });
      }
      await until(changed, operation.signal);
    }
    return { result: result('success') };
  }

  /** To another server: what it does not know of the zones, behind all entries. */
  async #beginZones(upTo: Revision, from: Revision): Promise<boolean> {
    const { zoneMarks } = this.#asked.operation.asked;
    if (zoneMarks === undefined || serverOf(this.#asked) === undefined) return false;
    const since = zoneMarks.value.since as Revision | undefined;
    this.#zones = new ZoneNews(this.#asked.session.door.reader, { since, from });
    for (const told of this.#zones.begin(upTo)) {
      await this.#tellZones(told);
      await this.#clock.breathe();
    }
    return true;
  }

  async #tellZones(told: ZonesTold): Promise<void> {
    const value = encodeZonesTold(told);
    await this.#asked.operation.send({ kind: 'intermediateResponse', name: ZONE_MARKS, value });
  }

  /** Who follows on the spot cannot begin anew: what it has is not what a refresh would find. */
  #begunAnew(): LdapFinal {
    const text = 'What you may see has changed, or the log is lost: begin anew';
    return { result: result(this.#sync.reloadHint ? 'busy' : 'syncRefreshRequired', text) };
  }

  /** From which the log says all that has happened, where the client's cookie is of such a one. */
  #goodPosition({ since }: SightMark): FeedPosition | undefined {
    const position = this.#position;
    if (position === undefined || position === 'unknown' || position.revision < since) return undefined;
    const { reader } = this.#asked.session.door;
    const { caller } = this.#asked.operation;
    // By another name it has seen another thing.
    if (caller.kind === 'entry' && wasRenamedSince(reader, caller.uuid, position.revision)) return undefined;
    return loggedAt(reader, position.revision) === position.at ? position : undefined;
  }

  #newest(): FeedPosition {
    return newestChange(this.#asked.session.door.reader)!;
  }

  #feedFrom(from: FeedPosition): Feed {
    const { base, request, session } = this.#asked;
    const { scope, filter } = request;
    return new Feed(session.door.reader, { base, scope, filter }, from);
  }

  /** Why it may not go on; undefined when all is given. */
  async #giveAll(): Promise<LdapResult | undefined> {
    const { request, session, base, sight, operation } = this.#asked;
    const { scope, filter, sizeLimit } = request;
    const { reader } = session.door;
    const places = base.rdns.length === 0 ? { places: rootPlaces(reader) } : {};
    const search = new Search(reader, { base, scope, filter, sight, walks: true, ...places });
    const entriesMax = Math.min(searchLimitsOf(sight.caller).entries, sizeLimit || Number.POSITIVE_INFINITY);
    let given = 0;
    while (!search.done && !operation.isAborted) {
      for (const entry of search.next(PAGE_ENTRIES)) {
        if (given++ === entriesMax) return result('sizeLimitExceeded', `More than ${entriesMax} entries match`);
        await this.#giveEntry(entry, 'add', { context: search.context, sight });
      }
      const limited = this.#clock.limit(search);
      if (limited !== undefined) return limited;
      await this.#clock.breathe();
    }
    return undefined;
  }

  /** Tells what the log has. False where what the caller sees is another thing than what was told. */
  async #catchUp(
    feed: Feed,
    { mark, isRefresh, isPresent }: { mark: SightMark; isRefresh: boolean; isPresent: boolean },
  ): Promise<boolean> {
    const { operation, session } = this.#asked;
    const { reader } = session.door;
    for (let isAtEnd = false; !isAtEnd && !operation.isAborted; ) {
      const caller = callerNow(reader, operation.caller);
      if (caller === undefined) return false;
      const sight = sightOf(reader, caller, session.record.isPrivate);
      const isSame = sightMark(reader, caller)?.text === mark.text;
      if (!isSame || loggedAt(reader, feed.position.revision) === undefined) return false;
      const { page, told, isAtEnd: isAll } = this.#next(feed, sight);
      isAtEnd = isAll;
      for (const step of page.steps) {
        if (step.kind === 'entry') await this.#tell(step, isRefresh, { context: feed.context, sight });
        else if (!isPresent) await this.#goes(step);
      }
      if (told !== undefined) {
        await this.#tellGone();
        await this.#tellZones(told);
      }
      if (!isAtEnd) await this.#clock.breathe();
    }
    await this.#tellGone();
    return true;
  }

  #next(feed: Feed, sight: Sight): PageWithZones<ReturnType<Feed['next']>> {
    const next = () => feed.next(sight);
    if (this.#zones !== undefined) return this.#zones.beside(next, () => feed.position.revision);
    const page = next();
    return { page, told: undefined, isAtEnd: page.isAtEnd };
  }

  async #tell(step: Extract<FeedStep, { kind: 'entry' }>, isRefresh: boolean, seen: Seen): Promise<void> {
    await this.#tellGone();
    await this.#giveEntry(step.shown, isRefresh || step.isNew ? 'add' : 'modify', seen);
  }

  /**
   * Together only before the first entry: OpenLDAP's server ignores what a set of UUIDs says of an entry that it has got since
   * it began to follow.
   */
  async #goes({ uuid, dn }: { readonly uuid: string; readonly dn: string }): Promise<void> {
    if (this.#hasGiven) {
      const control = controlOf(syncState, { state: 'delete', uuid, cookie: undefined });
      await this.#asked.operation.send({ kind: 'searchEntry', dn, attributes: [] }, [control]);
      return;
    }
    this.#gone.push(uuid);
    if (this.#gone.length === UUIDS_MAX) await this.#tellGone();
  }

  async #tellGone(): Promise<void> {
    if (this.#gone.length === 0) return;
    // Superiors first, against the order of the log: OpenLDAP's server carries a set out from its end.
    const uuids = this.#gone.reverse();
    this.#gone = [];
    await this.#say({ kind: 'syncIdSet', cookie: undefined, refreshDeletes: true, uuids });
  }

  async #giveEntry(entry: Entry, state: SyncState['state'], { context, sight }: Seen): Promise<void> {
    const { operation } = this.#asked;
    this.#hasGiven = true;
    const control = controlOf(syncState, { state, uuid: entry.uuid, cookie: undefined });
    if (operation.asked.manageDsaIt === undefined && isReferral(entry)) {
      await operation.send({ kind: 'searchReference', uris: referralUris(entry, parseDn(entry.dn)) }, [control]);
      return;
    }
    await giveWanted(
      entry,
      { ...this.#asked, sight },
      {
        context: { ...context, ...NOT_FOLLOWED },
        send: (attributes) =>
          operation.send({ kind: 'searchEntry', dn: entry.dn, attributes: attributes.filter(isFollowed) }, [control]),
      },
    );
  }

  async #say(info: SyncInfo): Promise<void> {
    await this.#asked.operation.send({
      kind: 'intermediateResponse',
      name: SYNC_INFO,
      value: syncInfo.encode(info),
    });
  }

  #cookie({ revision, at }: FeedPosition): Uint8Array {
    return Buffer.from(`rid=${this.#rid},csn=${formatCsn(revision, at)}`);
  }
}

/** The host name of another server of the directory that follows all there is; undefined for anybody else. */
function serverOf({ base, sight }: AskedSearch): string | undefined {
  const { caller } = sight;
  if (caller?.dn === undefined || !caller.isServer || base.rdns.length > 0) return undefined;
  const name = parseDn(caller.dn).rdns[0]?.avas[0]?.value;
  return typeof name === 'string' ? name : undefined;
}

/** Under the name that it has now: rules name it, and its groups do. Undefined: its entry is gone. */
function callerNow(reader: Reader, caller: Caller): Caller | undefined {
  if (caller.kind !== 'entry') return caller;
  const entry = entryByUuid(reader, caller.uuid);
  return entry && callerOf(entry);
}

/** All there is, for a server. */
function rootPlaces(reader: Reader): SearchPlace[] {
  return rootNames(reader).map((name) => {
    const entry = getEntry(reader, name);
    return { entry, path: parseDn(entry.dn).path, scope: 'sub' };
  });
}

/** What would be another without a change of its entry. */
const NOT_FOLLOWED: Pick<OperationalContext, 'memberOf' | 'contextCsn'> = {
  memberOf: () => [],
  contextCsn: () => undefined,
};

function isFollowed({ name }: { readonly name: string }): boolean {
  return name !== 'hasSubordinates';
}

/** Resolves with the promise, or when the signal ends the wait. */
function until(changed: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      signal.removeEventListener('abort', done);
      resolve();
    };
    signal.addEventListener('abort', done);
    void changed.then(done);
    if (signal.aborted) done();
  });
}
