// Expiry of all mail of this host that the directory has rules for, or of one account's.
//
// In      entries with waypostExpire, by the index; a moment
// Out     for each folder of each account what has gone, with an event in the log; undefined between, where others may have their turn
// Order   users with rules of their own, each with those of its domain; then of each domain with rules the accounts that have none. A list's
//         mailbox has its domain's
// Limits  PAGE_ROWS rows at a time; no walk over those who have no rules. DOMAINS_MAX domains are remembered
// Never   takes what an entry says that another directory holds and that does not parse: sync status names it

import type { Log } from '../base/log.ts';
import type { Reader, Writer } from '../database/operation.ts';
import { dcDnOfDomain, normalizeDn } from '../directory/dn.ts';
import { entriesIndexed, entryById, findEntry, type IndexPlace } from '../directory/entries.ts';
import type { Entry } from '../directory/entry.ts';
import type { ExpiryRule } from '../directory/expiry-value.ts';
import { firstIndexValue } from '../directory/indexes.ts';
import { mailDomainOf } from '../directory/mail-domain.ts';
import { mailView } from '../directory/mail-view.ts';
import { formatAddress } from '../message/address.ts';
import { EXPIRE_KEY, expiryOf } from '../routing/expiry.ts';
import { readState } from '../routing/generation.ts';
import { addressOfKey, type RecipientRow } from '../routing/rows.ts';
import { readRecipient, readRecipientsAtBase, readRoute, readRoutesAbove } from '../routing/tables.ts';
import { type ExpiredMail, expireAccount } from '../store/expire.ts';

const PAGE_ROWS = 500;
const DOMAINS_MAX = 100_000;

export interface ExpiryRoundParts {
  readonly reader: Reader;
  /** Absent: what would go is told, and stays. */
  readonly writer?: Writer | undefined;
  readonly log: Log;
  readonly now: number;
}

export interface Expired extends ExpiredMail {
  /** Its primary address; the DN of one without. */
  readonly account: string;
}

type Round = AsyncGenerator<Expired | undefined>;

/** Everybody's. */
export async function* expireAll(parts: ExpiryRoundParts): Round {
  const { reader } = parts;
  const rules = new DomainRules(reader);
  for (const entry of entriesWithRules(reader)) {
    if (entry === undefined) yield entry;
    else if (mailDomainOf(entry) === undefined) yield* expireOwn(parts, entry, rules);
  }
  for (const entry of entriesWithRules(reader)) {
    const domain = entry && mailDomainOf(entry);
    if (domain === undefined) yield undefined;
    else yield* expireDomain(parts, domain, rules);
  }
}

/** Each once; undefined between pages. */
function* entriesWithRules(reader: Reader): Generator<Entry | undefined> {
  for (let after: IndexPlace | undefined; ; ) {
    const page = entriesIndexed(reader, EXPIRE_KEY, PAGE_ROWS, after);
    for (const { entry: id, value } of page) {
      const entry = entryById(reader, id);
      // One with several values stands in several places.
      if (entry !== undefined && firstIndexValue(entry.attributes, EXPIRE_KEY) === value) yield entry;
    }
    if (page.length < PAGE_ROWS) return;
    after = page.at(-1);
    yield undefined;
  }
}

/** That of one account; nothing where the row has none here. */
export async function* expireOne(parts: ExpiryRoundParts, row: RecipientRow): Round {
  const entry = entryById(parts.reader, row.entry);
  if (entry === undefined) return;
  yield* expireRow(parts, row, { own: ownRules(entry), domain: new DomainRules(parts.reader).of(row) });
}

/** A user with rules of its own. */
async function* expireOwn(parts: ExpiryRoundParts, entry: Entry, rules: DomainRules): Round {
  const row = readRecipient(parts.reader, readState(parts.reader).generation, entry.normalizedDn);
  if (row !== null) yield* expireRow(parts, row, { own: ownRules(entry), domain: rules.of(row) });
}

/** Those of a domain's accounts that have no rules of their own. */
async function* expireDomain(parts: ExpiryRoundParts, domain: string, rules: DomainRules): Round {
  const { reader } = parts;
  const base = readRoute(reader, readState(reader).generation, domain)?.base ?? '';
  for (let after = ''; base !== ''; ) {
    const page = readRecipientsAtBase(reader, readState(reader).generation, base, { after, limit: PAGE_ROWS });
    for (const { row } of page) {
      if (accountOf(row) === undefined || rules.domainOf(row) !== domain) continue;
      const entry = entryById(reader, row.entry);
      if (entry !== undefined && ownRules(entry).length === 0)
        yield* expireRow(parts, row, { own: [], domain: rules.of(row) });
    }
    if (page.length < PAGE_ROWS) return;
    after = page.at(-1)!.path;
    yield undefined;
  }
}

async function* expireRow(
  parts: ExpiryRoundParts,
  row: RecipientRow,
  expiry: { readonly own: readonly ExpiryRule[]; readonly domain: readonly ExpiryRule[] },
): Round {
  const owner = accountOf(row);
  if (owner === undefined || expiry.own.length + expiry.domain.length === 0) return;
  const [primary] = row.addresses;
  const account = primary === undefined ? row.dn : formatAddress(addressOfKey(primary));
  for await (const gone of expireAccount(parts, owner, expiry)) {
    if (gone !== undefined && parts.writer !== undefined)
      parts.log.info('mailbox.expired', { account: owner, address: account, ...gone });
    yield gone && { account, ...gone };
  }
}

function ownRules(entry: Entry): ExpiryRule[] {
  return expiryOf(mailView(entry));
}

function accountOf({ account }: RecipientRow) {
  return account === undefined || account === 0 ? undefined : account;
}

/** What the domains of a round say, each read once. */
class DomainRules {
  readonly #reader: Reader;
  readonly #rules = new Map<string, readonly ExpiryRule[]>();

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  of(row: RecipientRow): readonly ExpiryRule[] {
    const domain = this.domainOf(row);
    let rules = this.#rules.get(domain);
    if (rules === undefined) {
      const entry = domain === '' ? undefined : findEntry(this.#reader, dcDnOfDomain(domain));
      rules = entry === undefined ? [] : expiryOf(entry);
      if (this.#rules.size >= DOMAINS_MAX) this.#rules.clear();
      this.#rules.set(domain, rules);
    }
    return rules;
  }

  /** That of its primary address; of one without an address here the one whose base holds it. */
  domainOf({ addresses: [primary], dn }: RecipientRow): string {
    if (primary !== undefined) return addressOfKey(primary).domain;
    const { generation } = readState(this.#reader);
    return readRoutesAbove(this.#reader, generation, normalizeDn(dn))[0]?.domain ?? '';
  }
}
