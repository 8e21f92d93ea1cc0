// What an account may do in mailboxes of others, as a thread works it out and keeps it.
//
// In      the rows of the mailbox's list (store/acl.ts), who the reader and the owner are (identities.ts)
// Out     rights; the mailboxes of others that can be seen
// Kept    until a commit moves rights: one atomic load a question. KEPT_MAX answers, then all are worked out anew
// List    a list's mailbox begins with rights: its members `lrswite`, the entries that its `owner` names all; a row for the same
//         identity stands in their place
// Limits  LISTED_MAX mailboxes of others
// Never   answers of a state older than the moves that were counted when it was asked
// RFC 4314 §2, §5.1

import { Failure } from '../base/failure.ts';
import type { AccountId } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { mailboxesGivenTo, readAcl, rightsRevision } from '../store/acl.ts';
import type { MailboxKey } from '../store/mailbox-key.ts';
import { type AclRow, ANYONE, MAILBOX_RIGHTS, type MailboxRight, rightsOf } from '../store/rights.ts';
import type { Identities, Owning, Parties, Party } from './identities.ts';

/** Answers that are kept, of readers and mailboxes. */
const KEPT_MAX = 100_000;
/** Mailboxes of others that one account is shown. */
const LISTED_MAX = 10_000;
const MEMBERS_RIGHTS = 'lrswite';

/** Rights, and at which revision they were worked out (checkRightsRevision). */
export interface RightsNow {
  readonly rights: string;
  readonly at: number;
}

export interface MailboxRightsParts {
  readonly reader: Reader;
  readonly parties: Parties;
  /** SharedState.rightsMoves */
  readonly moves: () => number;
  /** Calls back after each commit that moves them. */
  readonly onMoved: (moved: () => void) => void;
}

/** Whoever looks at mailboxes of others is told so soon after rights have moved; commits in between are one. */
const TOLD_AFTER_MS = 250;

export class MailboxRights {
  readonly #reader: Reader;
  readonly parties: Parties;
  readonly #moves: () => number;
  #movesKnown: number | undefined;
  readonly #rights = new Map<string, RightsNow>();
  readonly #identities = new Map<AccountId, Identities | null>();

  readonly #watchers = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ reader, parties, moves, onMoved }: MailboxRightsParts) {
    this.#reader = reader;
    this.parties = parties;
    this.#moves = moves;
    onMoved(() => {
      if (this.#watchers.size > 0) this.#timer ??= setTimeout(() => this.#tell(), TOLD_AFTER_MS).unref();
    });
  }

  #tell(): void {
    this.#timer = undefined;
    for (const moved of [...this.#watchers]) moved();
  }

  /** Rights have moved: `moved` looks at those that it goes by. Gives the way to end that. */
  watch(moved: () => void): () => void {
    this.#watchers.add(moved);
    return () => void this.#watchers.delete(moved);
  }

  /** All for the owner. */
  of(account: AccountId, { owner, mailbox }: MailboxKey): RightsNow {
    if (account === owner) return { rights: MAILBOX_RIGHTS, at: 0 };
    this.#refresh();
    const key = `${account} ${owner} ${mailbox}`;
    let known = this.#rights.get(key);
    if (known === undefined) {
      known = this.#reader.snapshot(() => this.#workOut(account, { owner, mailbox }));
      this.#rights.set(key, known);
    }
    return known;
  }

  /** Mailboxes of others in which something is given to this account, by owner; whether it may see them is to be asked. */
  givenTo(account: AccountId): readonly MailboxKey[] {
    this.#refresh();
    const identities = this.#identitiesOf(account);
    if (identities === undefined) return [];
    const found = mailboxesGivenTo(this.#reader, [...identities.uuids, ANYONE], LISTED_MAX);
    return found.filter(({ owner }) => owner !== account);
  }

  /** The lists with mailboxes here that it is in, or is an owner of. */
  listsOf(account: AccountId): readonly Party[] {
    this.#refresh();
    const lists: Party[] = [];
    for (const uuid of this.#identitiesOf(account)?.uuids ?? []) {
      const party = this.parties.byUuid(uuid);
      if (party?.isList === true && party.account !== undefined) lists.push(party);
    }
    return lists;
  }

  #refresh(): void {
    const moves = this.#moves();
    if (moves === this.#movesKnown && this.#rights.size < KEPT_MAX) return;
    this.#rights.clear();
    this.#identities.clear();
    this.#movesKnown = moves;
  }

  #workOut(account: AccountId, key: MailboxKey): RightsNow {
    const at = rightsRevision(this.#reader);
    const owner = this.parties.byAccount(key.owner);
    const identities = this.#identitiesOf(account);
    if (owner === undefined || identities === undefined) return { rights: '', at };
    const uuids = new Set(identities.uuids);
    const isOfDomain = owner.domain !== undefined && owner.domain === identities.domain;
    const fits = (identity: string) => (identity === ANYONE ? isOfDomain : uuids.has(identity));
    return { rights: rightsOf(aclOf(this.#reader, owner, key), fits), at };
  }

  #identitiesOf(account: AccountId): Identities | undefined {
    let known = this.#identities.get(account);
    if (known === undefined) {
      known = this.parties.identities(account) ?? null;
      this.#identities.set(account, known);
    }
    return known ?? undefined;
  }
}

/** A mailbox's list with what a list's mailbox begins with. */
export function aclOf(reader: Reader, owner: Owning, key: MailboxKey): readonly AclRow[] {
  return withBeginning(owner, readAcl(reader, key));
}

/** `rows`: of one of the owner's mailboxes. */
export function withBeginning(owner: Owning, rows: readonly AclRow[]): readonly AclRow[] {
  if (!owner.isList) return rows;
  const given = new Set(rows.filter(({ negative }) => !negative).map(({ identity }) => identity));
  return [...beginningRows(owner).filter(({ identity }) => !given.has(identity)), ...rows];
}

/** What an identity has in a list's mailbox while there is no row for it. */
export function beginningRights(owner: Party, identity: string): string {
  return owner.isList ? (beginningRows(owner).find((row) => row.identity === identity)?.rights ?? '') : '';
}

function beginningRows({ uuid, owners }: Owning): AclRow[] {
  return [
    { identity: uuid, rights: MEMBERS_RIGHTS, negative: false },
    ...owners.map((identity) => ({ identity, rights: MAILBOX_RIGHTS, negative: false })),
  ];
}

/** Throws `not-found`, as if the mailbox were not there, for who may not see it; `denied` for who may, but lacks one of the rights. */
export function requireRights({ rights }: RightsNow, needed: readonly MailboxRight[]): void {
  if (needed.every((right) => rights.includes(right))) return;
  if (!rights.includes('l')) throw new Failure('not-found', 'No such mailbox');
  throw new Failure('denied', `You have no right to do that in this mailbox (${needed.join('')})`);
}
