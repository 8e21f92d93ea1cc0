// Search: entries in pages, never more than the client takes and never longer than a turn.
//
// Out     entries as they are found; the result says why it ended
// Limits  those of the client. A user sees one entry; the administrator may read all, for a backup
// Never   holds a statement or a snapshot while it waits
// RFC 4511 §4.5

import { setImmediate as nextTurn } from 'node:timers/promises';
import { LDAP_TURN_MS } from '../../../base/limits.ts';
import { checkSearch, visibleTo } from '../../../directory/caller.ts';
import { type Dn, parseDn } from '../../../directory/dn.ts';
import type { Attribute, Entry } from '../../../directory/entry.ts';
import { compileFilter } from '../../../directory/match.ts';
import { type Selection, selectAttributes, selectFrom, selectionOf } from '../../../directory/operational.ts';
import { Search } from '../../../directory/search.ts';
import { BerWriter } from '../../../wire/ldap/ber.ts';
import { writeResponse } from '../../../wire/ldap/message.ts';
import type { SearchRequest } from '../../../wire/ldap/operations/search.ts';
import { type LdapResult, result } from '../../../wire/ldap/result.ts';
import type { LdapSession, RunningOperation } from '../session.ts';
import { specialEntry } from '../special-entries.ts';

/** Entries that are read before anybody looks at the clock. */
const PAGE_ENTRIES = 64;
/** So many octets are gathered before they are sent. */
const GATHERED_BYTES = 128 * 1024;

export async function search(
  session: LdapSession,
  request: SearchRequest,
  operation: RunningOperation,
): Promise<LdapResult> {
  const base = parseDn(request.baseObject);
  const selection = selectionOf(request.attributes, request.typesOnly);
  const special = specialIn(session, base, request);
  if (special === 'none') return result('success');
  if (special !== undefined) {
    const matches = compileFilter(request.filter)(special, { hasSubordinates: () => false });
    const sender = new Sender(session, operation);
    if (matches === true) await sender.add(special.dn, selectFrom(special.attributes, selection));
    await sender.flush();
    return result('success');
  }
  checkSearch(session.caller, base);
  return searchTree(session, base, request, selection, operation);
}

/** An entry outside the tree that the request is about; 'none' when it asks for what is below such an entry. */
function specialIn(session: LdapSession, base: Dn, { scope }: SearchRequest): Entry | 'none' | undefined {
  const special = specialEntry(base, session.door.version);
  if (special === undefined || scope === 'base') return special;
  // Below the root DSE stands the whole tree, which has a name of its own.
  if (special.dn === '') return undefined;
  return scope === 'one' ? 'none' : special;
}

async function searchTree(
  session: LdapSession,
  base: Dn,
  request: SearchRequest,
  selection: Selection,
  operation: RunningOperation,
): Promise<LdapResult> {
  const { clock, reader } = session.door;
  const { caller } = session;
  const { filter, scope, sizeLimit, timeLimit } = request;
  const endsAt = timeLimit === 0 ? Number.POSITIVE_INFINITY : clock.monotonic() + timeLimit * 1000;
  const found = new Search(reader, { base, scope, filter, visible: (entry) => visibleTo(caller, entry) });
  const sender = new Sender(session, operation);
  let left = sizeLimit === 0 ? Number.POSITIVE_INFINITY : sizeLimit;
  let turnEndsAt = clock.monotonic() + LDAP_TURN_MS;
  while (!found.done && !operation.abandoned) {
    // One more than may be sent shows that there are more.
    const entries = found.next(Math.min(PAGE_ENTRIES, left + 1));
    for (const entry of entries.slice(0, left)) {
      const attributes = selectAttributes(entry, selection, () => found.hasSubordinates(entry));
      await sender.add(entry.dn, attributes);
    }
    if (entries.length > left) {
      await sender.flush();
      return result('sizeLimitExceeded', `More than ${sizeLimit} entries match`);
    }
    left -= entries.length;
    if (found.done || clock.monotonic() < turnEndsAt) continue;
    await sender.flush();
    await nextTurn();
    const now = clock.monotonic();
    if (now >= endsAt) return result('timeLimitExceeded', `Not done after ${timeLimit} s`);
    turnEndsAt = now + LDAP_TURN_MS;
  }
  await sender.flush();
  return result('success');
}

/** Gathers entries and sends them when they are many, at the speed of the client. */
class Sender {
  readonly #writer = new BerWriter();
  readonly #session: LdapSession;
  readonly #operation: RunningOperation;

  constructor(session: LdapSession, operation: RunningOperation) {
    this.#session = session;
    this.#operation = operation;
  }

  async add(dn: string, attributes: readonly Attribute[]): Promise<void> {
    // RFC 4511 §4.11: what was found before the abandon came is of no use either.
    if (this.#operation.abandoned) return;
    const { messageId } = this.#operation;
    writeResponse(this.#writer, { messageId, operation: { kind: 'searchEntry', dn, attributes }, controls: [] });
    if (this.#writer.length >= GATHERED_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#writer.length > 0) await this.#session.send(this.#writer.take());
  }
}
