// The proof that tables kept change by change are what their entries say: every row compiled anew, and compared.
//
// In      a reader; pages of PAGE entries with their rows, each page one snapshot, so that writing goes on meanwhile
// Out     each row that is not as its entries say, by table and key
// Order   domains -> rules, channels, hosts and people, entry by entry -> rows that no entry stands behind
// Never   changes anything: `sync --full` does

import type { Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import type { Reader } from '../database/operation.ts';
import { entriesAfter, entriesWith, findEntry } from '../directory/entries.ts';
import type { Entry } from '../directory/entry.ts';
import { ROUTED_CLASSES } from '../directory/mail-domain.ts';
import { unusableMembers } from '../directory/member-values.ts';
import { readAccount } from '../store/accounts.ts';
import { domainsOf, readRouteOfDirectory } from './associated-domains.ts';
import { compileRecipient, hasAccountHere, recipientKindOf } from './compile.ts';
import { apartFrom, type CompiledRow, claimantsOf, contestedOf, contestedText, isContested } from './contested.ts';
import { type RoutingState, readState } from './generation.ts';
import type { HistoryKind } from './history.ts';
import { readSetting, readSettings } from './setting-rows.ts';
import { compileSetting, type SettingRow } from './settings.ts';
import { heldApart, UNUSABLE_MAX } from './synchronize.ts';
import { countRows, readRowsAfter } from './table-contents.ts';
import { readAliasDn, readBase, readRecipient, readRoute, readRoutesAbove } from './tables.ts';

const PAGE = 500;
/** Differences that are named; the others are counted. */
const NAMED_MAX = 1000;

export interface Difference {
  readonly table: HistoryKind;
  readonly key: string;
  /** null: there is no row. */
  readonly is: unknown;
  /** null: there should be none. */
  readonly should: unknown;
}

export interface Verified {
  /** Of the directory, when it ended. */
  readonly revision: Revision;
  /** That were compared: domains, addresses, rules, channels and hosts. */
  readonly rows: number;
  /** How many differ, and the first thousand. */
  readonly differing: number;
  readonly differences: readonly Difference[];
}

/** Yields between pages, where others may have their turn. */
export function* verifyTables(reader: Reader): Generator<undefined, Verified, void> {
  const found = new Map<string, Difference>();
  let differing = 0;
  const check = (table: HistoryKind, key: string, is: unknown, should: unknown): void => {
    if (JSON.stringify(is) === JSON.stringify(should) || found.has(`${table} ${key}`)) return;
    differing++;
    if (found.size < NAMED_MAX) found.set(`${table} ${key}`, { table, key, is, should });
  };
  for (const page of pages(reader))
    yield reader.snapshot((): undefined => {
      const state = readState(reader);
      page(state, check);
      return undefined;
    });
  return reader.snapshot(() => {
    const { domains, addresses } = countRows(reader);
    const settings = readSettings(reader, readState(reader).generation).length;
    const differences = [...found.values()];
    return { revision: reader.revision(), rows: domains + addresses + settings, differing, differences };
  });
}

type Check = (table: HistoryKind, key: string, is: unknown, should: unknown) => void;
type Page = (state: RoutingState, check: Check) => void;

function* pages(reader: Reader): Generator<Page> {
  for (const objectClass of ROUTED_CLASSES)
    yield* following<number>(0, (after, { generation }, check) => {
      const entries = entriesWith(reader, 'objectClass', objectClass, PAGE, after);
      for (const entry of entries)
        for (const domain of domainsOf(entry))
          check('route', domain, readRoute(reader, generation, domain), readRouteOfDirectory(reader, domain));
      return entries.length < PAGE ? undefined : entries.at(-1)!.id;
    });
  yield* following<number>(0, (after, state, check) => {
    const entries = entriesAfter(reader, after, PAGE);
    for (const entry of entries) verifyEntry(reader, state, entry, check);
    return entries.at(-1)?.id;
  });
  yield* following<string>('', (after, _, check) => {
    const rows = readRowsAfter(reader, 'route', after, PAGE);
    for (const { key, row } of rows)
      if (readRouteOfDirectory(reader, key) === undefined) check('route', key, JSON.parse(row), null);
    return rows.at(-1)?.key;
  });
  yield* following<string>('', (after, { generation }, check) => {
    const rows = readRowsAfter(reader, 'alias', after, PAGE);
    for (const { key, row: leadsTo } of rows) {
      const claimants = claimantsOf(leadsTo).map((dn) => readRecipient(reader, generation, dn));
      const isRight = isContested(leadsTo)
        ? claimants.length > 1 && claimants.every((row) => contestedOf(row).includes(key))
        : claimants[0]?.addresses.includes(key) === true;
      if (!isRight) check('alias', key, leadsTo, null);
    }
    return rows.at(-1)?.key;
  });
  yield* following<string>('', (after, _, check) => {
    const rows = readRowsAfter(reader, 'entry', after, PAGE);
    for (const { key, row } of rows) {
      const entry = findEntry(reader, key);
      if (entry === undefined || recipientKindOf(entry) === undefined) check('entry', key, JSON.parse(row), null);
    }
    return rows.at(-1)?.key;
  });
  yield ({ generation }, check) => {
    for (const row of readSettings(reader, generation)) {
      const entry = findEntry(reader, row.dn);
      const should = entry && compileSetting(entry);
      if (should?.kind !== row.kind || should.key !== row.key) check(row.kind, row.key, row, null);
    }
  };
}

/** Pages, each from where the one before has ended. */
function* following<At>(
  first: At,
  read: (after: At, state: RoutingState, check: Check) => At | undefined,
): Generator<Page> {
  for (let after: At | undefined = first; after !== undefined; ) {
    const from: At = after;
    yield (state, check) => {
      after = read(from, state, check);
    };
  }
}

function verifyEntry(reader: Reader, state: RoutingState, entry: Entry, check: Check): void {
  const { generation } = state;
  const setting = compileSetting(entry);
  if (setting !== undefined) check(setting.kind, setting.key, settingAt(reader, generation, setting), setting);
  const compiled = recompiled(reader, state, entry);
  if (compiled === undefined) return;
  const dn = entry.normalizedDn;
  const { row, contested } = withoutHeld(reader, state, dn, compiled);
  check('entry', dn, readRecipient(reader, generation, dn), row);
  check('entry', dn, readBase(reader, generation, dn), compiled.base);
  for (const [address, claimants] of contested)
    check('alias', address, readAliasDn(reader, generation, address), contestedText(claimants));
  for (const address of row.addresses) check('alias', address, readAliasDn(reader, generation, address), dn);
}

function settingAt(reader: Reader, generation: number, { kind, key }: SettingRow): SettingRow | null {
  return readSetting(reader, generation, kind, key);
}

function recompiled(reader: Reader, state: RoutingState, entry: Entry): CompiledRow | undefined {
  const kind = recipientKindOf(entry);
  if (kind === undefined) return undefined;
  const isHere = hasAccountHere(entry, state);
  const account = readAccount(reader, { uuid: isHere ? entry.uuid : '', tenant: TENANT });
  const owners = readRoutesAbove(reader, state.generation, entry.normalizedDn);
  const domains = owners.map(({ domain }) => domain);
  const unusable = kind === 'group' ? unusableMembers(reader, entry.id, UNUSABLE_MAX) : [];
  const row = compileRecipient(entry, { unusable, domains, account });
  return row && { row, base: owners[0]?.base ?? '', source: entry.source };
}

/**
 * As synchronize.ts does it: an address stays with the entry that has it, as long as that one claims it; entries of one source
 * share it, and it is nobody's. `contested`: who claims it, by address.
 */
function withoutHeld(reader: Reader, state: RoutingState, dn: string, { row, source }: CompiledRow) {
  const holders = new Map<string, string>();
  const contested = new Map<string, readonly string[]>();
  for (const address of row.addresses) {
    const claimants = claimantsOf(readAliasDn(reader, state.generation, address));
    for (const holder of claimants) {
      const entry = holder === dn ? undefined : findEntry(reader, holder);
      const other = entry && recompiled(reader, state, entry);
      if (other?.row.addresses.includes(address) !== true) continue;
      const isShared = claimants.includes(dn) || (source !== undefined && other.source === source);
      if (isShared) contested.set(address, [...new Set([...claimants, dn])]);
      else holders.set(address, entry!.dn);
    }
  }
  return { row: apartFrom(heldApart(row, holders), new Set(contested.keys())), contested };
}
