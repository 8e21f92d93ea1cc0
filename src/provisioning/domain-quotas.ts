// Which accounts count for a domain with a limit for all of them (mailDomainDiskQuota, mailDomainMsgQuota): kept as the directory has it.
//
// In      a start: all accounts; a commit that moved rows of the routing tables: the domains and users that have moved
// Out     accounts are counted for their domain, SLICE an operation; the counter follows in the same transaction (store/quota.ts)
// States  idle -> reading what has changed -> assigning -> idle; a change meanwhile is read behind it
// Limits  more than CHANGES_MAX changes, or changes before the history begins: all accounts are looked at
// Errors  what the writer cannot take now is tried again (base/looks.ts)
// Never   costs anything but one statement where no domain has such a limit, however many domains there are

import { asFailure } from '../base/failure.ts';
import type { AccountId, Revision } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { Looks } from '../base/looks.ts';
import type { Reader, Writer } from '../database/operation.ts';
import { readState } from '../routing/generation.ts';
import { changedKeysAfter } from '../routing/history.ts';
import { addressOfKey, type RecipientRow, type RouteRow } from '../routing/rows.ts';
import { readRowsAfter } from '../routing/table-contents.ts';
import { readRecipient, readRoute, readRoutesWithQuota } from '../routing/tables.ts';
import { assignQuotaRoot, isAnyQuotaRoot } from '../store/quota.ts';

const PAGE_ROWS = 1000;
const SLICE = 200;
const CHANGES_MAX = 10_000;

export interface DomainQuotaParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly log: Log;
}

export class DomainQuotas {
  readonly #parts: DomainQuotaParts;
  /** Domains with a limit. */
  readonly #domains = new Set<string>();
  /** All changes up to this revision have been followed; undefined: none. */
  #seen: Revision | undefined;
  readonly #looks: Looks;

  constructor(parts: DomainQuotaParts) {
    this.#parts = parts;
    this.#looks = new Looks({
      look: () => this.#look(),
      failed: (error, pauseMs) => {
        this.#seen = undefined;
        const { kind, detail, message } = asFailure(error);
        parts.log.warn('quota.count', { kind, detail: detail ?? message, pauseMs });
      },
    });
  }

  start(): void {
    this.#looks.start();
  }

  /** Rows of the routing tables may have changed. */
  wake(): void {
    this.#looks.wake();
  }

  /** Resolves when no slice is under way. */
  stop(): Promise<void> {
    return this.#looks.stop();
  }

  async #look(): Promise<undefined> {
    const { reader } = this.#parts;
    const seen = this.#seen;
    const { revision, changes } = reader.snapshot(() => ({
      revision: reader.routingRevision(),
      changes:
        seen === undefined || seen < readState(reader).historyFrom
          ? undefined
          : changedKeysAfter(reader, seen, CHANGES_MAX),
    }));
    if (changes === undefined || changes.length === CHANGES_MAX) await this.#all();
    else await this.#changed(changes);
    this.#seen = revision;
  }

  async #all(): Promise<void> {
    const { reader } = this.#parts;
    this.#domains.clear();
    for (let after = ''; ; ) {
      const rows = readRoutesWithQuota(reader, readState(reader).generation, { after, limit: PAGE_ROWS });
      for (const { domain, row } of rows) if (hasLimit(row)) this.#domains.add(domain);
      if (rows.length < PAGE_ROWS || this.#looks.isStopping) break;
      after = rows.at(-1)!.domain;
      await new Promise((turn) => setImmediate(turn));
    }
    if (this.#domains.size > 0 || isAnyQuotaRoot(reader)) await this.#users(() => true);
  }

  async #changed(changes: ReturnType<typeof changedKeysAfter>): Promise<void> {
    const { reader } = this.#parts;
    const { generation } = readState(reader);
    const moved = new Set<string>();
    for (const { kind, key } of changes) {
      if (kind !== 'route') continue;
      const row = readRoute(reader, generation, key);
      const has = row !== null && hasLimit(row);
      if (has === this.#domains.has(key)) continue;
      if (has) this.#domains.add(key);
      else this.#domains.delete(key);
      moved.add(key);
    }
    if (moved.size > 0) await this.#users((domain) => moved.has(domain));
    if (this.#domains.size === 0 && !isAnyQuotaRoot(reader)) return;
    const users = changes
      .filter(({ kind }) => kind === 'entry')
      .map(({ key }) => readRecipient(reader, generation, key))
      .filter((row) => row !== null);
    await this.#assign(users);
  }

  /** Users of the domains that are meant, a page at a time. */
  async #users(isMeant: (domain: string) => boolean): Promise<void> {
    const { reader } = this.#parts;
    for (let after = ''; !this.#looks.isStopping; ) {
      const rows = readRowsAfter(reader, 'entry', after, PAGE_ROWS);
      const users = rows.map(({ row }) => JSON.parse(row) as RecipientRow);
      await this.#assign(users.filter((user) => isMeant(domainOf(user))));
      if (rows.length < PAGE_ROWS) return;
      after = rows.at(-1)!.key;
      await new Promise((turn) => setImmediate(turn));
    }
  }

  async #assign(rows: readonly RecipientRow[]): Promise<void> {
    const byDomain = new Map<string | null, AccountId[]>();
    for (const row of rows) {
      if (row.kind !== 'user' || row.account === 0) continue;
      const own = domainOf(row);
      const domain = this.#domains.has(own) ? own : null;
      const accounts = byDomain.get(domain);
      if (accounts === undefined) byDomain.set(domain, [row.account]);
      else accounts.push(row.account);
    }
    for (const [domain, accounts] of byDomain)
      for (let at = 0; at < accounts.length && !this.#looks.isStopping; at += SLICE)
        await this.#parts.writer.execute(assignQuotaRoot, { accounts: accounts.slice(at, at + SLICE), domain });
  }
}

function hasLimit({ quota }: RouteRow): boolean {
  return quota !== undefined && Object.values(quota).some((limit) => limit >= 0);
}

/** That of its primary address. */
function domainOf({ addresses: [primary] }: RecipientRow): string {
  return primary === undefined ? '' : addressOfKey(primary).domain;
}
