// Search: entries as they are found, never more than the client takes and never longer than a turn.
//
// Out     references to other servers, then entries; the result says why it ended, and with paged results where it goes on
// Limits  those of the client, and the caller's (directory/search-limits.ts); all pages together
// Never   holds a statement or a snapshot while it waits
// RFC 4511 §4.5, RFC 2696, RFC 2891, RFC 3296 §5, RFC 4528

import { sightOf } from '../../../directory/access/sight.ts';
import { type Dn, parseDn } from '../../../directory/dn.ts';
import { noSuchObject } from '../../../directory/entries.ts';
import type { Entry } from '../../../directory/entry.ts';
import { compileFilter, OUTSIDE } from '../../../directory/match.ts';
import { matchContext } from '../../../directory/match-context.ts';
import { selectFrom, selectionOf } from '../../../directory/operational.ts';
import { Search } from '../../../directory/search.ts';
import { seenBase } from '../../../directory/search-base.ts';
import { effortOf, effortOfAnybody, searchLimitsOf } from '../../../directory/search-limits.ts';
import { entryOrder, type SortProblem } from '../../../directory/sort.ts';
import { controlOf } from '../../../wire/ldap/controls/codec.ts';
import { pagedResults } from '../../../wire/ldap/controls/paged-results.ts';
import { sortResponse } from '../../../wire/ldap/controls/sort.ts';
import type { Control } from '../../../wire/ldap/controls.ts';
import type { SearchRequest } from '../../../wire/ldap/operations/search.ts';
import { type LdapResult, result } from '../../../wire/ldap/result.ts';
import { resultCodes } from '../../../wire/ldap/result-codes.ts';
import type { LdapConversation, LdapFinal, LdapHandler, LdapOperation } from '../conversation.ts';
import { SearchRun } from '../search-run.ts';
import { type AskedSearch, giveWanted, Turns } from '../search-turns.ts';
import { specialEntry } from '../special-entries.ts';
import { follow } from '../sync.ts';

/** Entries that are read between two looks at the clock. */
const PAGE_ENTRIES = 64;
const NO_COOKIE = new Uint8Array();

export const search: LdapHandler<SearchRequest> = async (request, operation, session) => {
  const base = parseDn(request.baseObject);
  const special = specialIn(session, base, request);
  if (special !== undefined && operation.asked.sync !== undefined)
    return { result: result('unwillingToPerform', 'What is not in the tree cannot be followed') };
  if (special === 'none') return atEnd(operation, result('success'));
  const selection = selectionOf(request.attributes, request.typesOnly);
  if (special !== undefined) {
    const matches = compileFilter(request.filter)(special, { ...OUTSIDE, effort: effortOfAnybody() });
    const attributes = selectFrom(special.attributes, selection);
    if (matches === true) await operation.send({ kind: 'searchEntry', dn: special.dn, attributes });
    return atEnd(operation, result('success'));
  }
  const sight = sightOf(session.door.reader, operation.caller, session.record.isPrivate);
  if (base.rdns.length === 0 && operation.asked.sync !== undefined) {
    const asked = { session, operation, request, base, selection, sight };
    if (sight.caller?.isServer === true) return follow(asked, new Turns(asked), operation.asked.sync.value);
    return { result: result('insufficientAccessRights', 'Only a server follows all there is') };
  }
  return searchTree({ session, operation, request, base, selection, sight });
};

/** An entry outside the tree that the request is about; 'none' when it asks for what is below such an entry. */
function specialIn(session: LdapConversation, base: Dn, { scope }: SearchRequest): Entry | 'none' | undefined {
  const special = specialEntry(base, session);
  if (special === undefined || scope === 'base') return special;
  // Below the root DSE is the whole tree, which has a name of its own.
  if (special.dn === '') return undefined;
  return scope === 'one' ? 'none' : special;
}

async function searchTree(asked: AskedSearch): Promise<LdapFinal> {
  const { session, operation } = asked;
  const paged = operation.asked.paged?.value;
  const clock = new Turns(asked);
  if (paged === undefined || paged.cookie.length === 0) return begin(asked, clock);
  const run = session.pages.take(paged.cookie, identityOf(asked));
  if (run === undefined)
    return { result: result('unwillingToPerform', 'The cookie is not known here, or of another search') };
  if (paged.size === 0) return atEnd(operation, result('success'));
  run.see(asked.sight);
  return give(asked, run, clock);
}

async function begin(asked: AskedSearch, clock: Turns): Promise<LdapFinal> {
  const { session, operation, request, base, sight } = asked;
  const { asked: controls } = operation;
  const { reader } = session.door;
  const { scope, derefAliases } = request;
  const finds = derefAliases === 'finding' || derefAliases === 'always';
  const asEntry = controls.manageDsaIt !== undefined;
  const entry = seenBase(reader, base, { scope, finds, asEntry, sight });
  // What answers without an entry must not tell a base that is not seen from one that is not there.
  const requireSeen = (): void => {
    if (sight.shown(entry) === undefined) throw noSuchObject(undefined);
  };
  /** A filter that looks at too much of an entry is told to who sees the base. */
  const whereSeen = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      requireSeen();
      throw error;
    });
  if (controls.assertion !== undefined) {
    requireSeen();
    const context = matchContext(reader, effortOf(sight.caller));
    const { maySearch } = sight;
    const asks = maySearch === undefined ? context : { ...context, maySearch };
    if (compileFilter(controls.assertion.value)(sight.bare(entry), asks) !== true)
      return { result: result('assertionFailed', 'The base does not match the assertion') };
  }
  if (controls.sync !== undefined) {
    if (!(await whereSeen(seesBelow(asked, entry, clock)))) requireSeen();
    return follow(asked, clock, controls.sync.value);
  }
  if (controls.paged?.value.size === 0) {
    requireSeen();
    return atEnd(operation, result('success'));
  }
  const run = new SearchRun({ reader, base: entry, request, asEntry, sight });
  const problem = await whereSeen(sorted(asked, run, clock));
  const limited = clock.limit(run);
  if (limited !== undefined) {
    requireSeen();
    return atEnd(operation, limited);
  }
  if (problem !== undefined && controls.sort?.isCritical === true) {
    requireSeen();
    return { ...problem, result: result('unavailableCriticalExtension', 'The entries cannot be sorted so') };
  }
  for (const uris of run.references) await operation.send({ kind: 'searchReference', uris });
  const final = await whereSeen(give(asked, run, clock));
  // Nothing below a base that is not seen, or too much to look at: as for a base that is not there.
  if (run.given === 0 && run.references.length === 0) requireSeen();
  return problem === undefined ? final : { ...final, controls: [...problem.controls, ...(final.controls ?? [])] };
}

/** Whether the search has one entry for the caller, where its base is none. */
async function seesBelow({ session, request, base, sight }: AskedSearch, entry: Entry, clock: Turns): Promise<boolean> {
  if (sight.shown(entry) !== undefined) return true;
  const { scope, filter } = request;
  const among = new Search(session.door.reader, { base, scope, filter, sight });
  while (!among.done && clock.limit(among) === undefined) {
    if (among.next(1).length > 0) return true;
    await clock.breathe();
  }
  return false;
}

/** Undefined when the entries come in the order that was asked for, or none was. */
async function sorted(
  { operation }: AskedSearch,
  run: SearchRun,
  clock: Turns,
): Promise<{ readonly controls: readonly Control[] } | undefined> {
  const { sort } = operation.asked;
  if (sort === undefined) return undefined;
  const order = entryOrder(sort.value);
  if ('problem' in order) return { controls: [sortFailed(order)] };
  const tooMany: SortProblem = { problem: 'adminLimitExceeded', attribute: undefined };
  const isSorted = await run.sort(order, async () => {
    await clock.breathe();
    return clock.limit(run) === undefined && !operation.isAborted;
  });
  return isSorted ? undefined : { controls: [sortFailed(tooMany)] };
}

function sortFailed({ problem, attribute }: SortProblem): Control {
  return controlOf(sortResponse, { resultCode: resultCodes[problem], attribute });
}

/** Entries up to the end of the page, or of all. */
async function give(asked: AskedSearch, run: SearchRun, clock: Turns): Promise<LdapFinal> {
  const { session, operation, request, sight } = asked;
  const { paged } = operation.asked;
  const entriesMax = Math.min(searchLimitsOf(sight.caller).entries, request.sizeLimit || Number.POSITIVE_INFINITY);
  let room = paged?.value.size ?? Number.POSITIVE_INFINITY;
  while (!run.done && !operation.isAborted) {
    const left = entriesMax - run.given;
    // One more than may be sent shows that there are more.
    const entries = run.next(Math.min(PAGE_ENTRIES, left + 1, room + 1));
    for (const [at, entry] of entries.entries()) {
      if (run.given === entriesMax)
        return atEnd(operation, result('sizeLimitExceeded', `More than ${entriesMax} entries match`));
      if (room === 0) {
        run.putBack(entries.slice(at));
        return inOrder(run, atEnd(operation, result('success'), session.pages.keep(run, identityOf(asked))));
      }
      await giveWanted(entry, asked, {
        context: run.context,
        send: (attributes) => operation.send({ kind: 'searchEntry', dn: entry.dn, attributes }),
      });
      run.given++;
      room--;
    }
    const limited = clock.limit(run);
    if (limited !== undefined) return atEnd(operation, limited);
    if (run.done) break;
    await clock.breathe();
  }
  return inOrder(run, atEnd(operation, result('success')));
}

/** With the word that the entries came in the order that was asked for. */
function inOrder({ isSorted }: SearchRun, final: LdapFinal): LdapFinal {
  if (!isSorted) return final;
  const success = controlOf(sortResponse, { resultCode: resultCodes.success, attribute: undefined });
  return { ...final, controls: [success, ...(final.controls ?? [])] };
}

/** The end of an operation; of paged results with the cookie, empty behind the last page. RFC 2696 §3: the size is not known. */
function atEnd({ asked }: LdapOperation, ended: LdapResult, cookie: Uint8Array = NO_COOKIE): LdapFinal {
  if (asked.paged === undefined) return { result: ended };
  return { result: ended, controls: [controlOf(pagedResults, { size: 0, cookie })] };
}

/** The caller, and what must stay the same from page to page. */
function identityOf({ request, base, operation }: AskedSearch): string {
  const { caller, asked } = operation;
  const { scope, derefAliases, filter } = request;
  const who = 'uuid' in caller ? caller.uuid : caller.kind;
  return JSON.stringify([who, base.normalized, scope, derefAliases, filter, asked.sort?.value]);
}
