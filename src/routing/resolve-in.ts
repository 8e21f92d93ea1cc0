// Resolve inside a transaction: what accept does once more before it says 250, over the rows of that very transaction.
//
// Never   refuses for good in a domain that a source has the say about: nobody can be asked here, and the message comes again

import type { Transaction } from '../database/operation.ts';
import type { Address } from '../message/address.ts';
import { stateIn } from './generation.ts';
import type { Member } from './list-members.ts';
import { LoadedLists } from './list-tables.ts';
import { replies } from './replies.ts';
import {
  type Resolution,
  type ResolveAnswer,
  type ResolveOptions,
  type RouteRequest,
  type RoutingTables,
  resolve,
  resolveMembers,
  type Site,
} from './resolve.ts';
import type { RecipientRow, RouteRow } from './rows.ts';
import { settingsIn } from './setting-rows.ts';
import { type RoutingSettings, settingsOf } from './settings.ts';
import { aliasIn, recipientIn, routeIn } from './tables.ts';

/** Rows loaded so far. May serve several addresses of one operation, as long as that does not change the tables. */
export class LoadedTables extends LoadedLists implements RoutingTables {
  readonly routes = new Map<string, RouteRow | null>();
  readonly aliases = new Map<string, RecipientRow | null>();
  readonly recipients = new Map<string, RecipientRow | null>();
  loadedSettings: RoutingSettings | undefined;

  route(domain: string): RouteRow | null | undefined {
    return this.routes.get(domain);
  }

  alias(key: string): RecipientRow | null | undefined {
    return this.aliases.get(key);
  }

  recipient(dn: string): RecipientRow | null | undefined {
    return this.recipients.get(dn);
  }

  settings(): RoutingSettings | undefined {
    return this.loadedSettings;
  }
}

export function resolveIn(
  tx: Transaction,
  address: Address,
  request: RouteRequest,
  site: Site,
  loaded: LoadedTables = new LoadedTables(),
): Promise<Resolution> {
  return answered(tx, { loaded, site }, () => resolve(address, request, loaded, site, { isUnsure }));
}

/** See resolveMembers. */
export function resolveMembersIn(
  tx: Transaction,
  address: Address,
  members: readonly Member[],
  { request, site }: { readonly request: RouteRequest; readonly site: Site },
): Promise<Resolution> {
  const tables = new LoadedTables();
  return answered(tx, { loaded: tables, site }, () =>
    resolveMembers(address, members, request, { tables, site, isUnsure }),
  );
}

const isUnsure: NonNullable<ResolveOptions['isUnsure']> = (_, route) =>
  route?.source === undefined ? undefined : replies.sourceSilent;

async function answered(
  tx: Transaction,
  { loaded, site }: { readonly loaded: LoadedTables; readonly site: Site },
  ask: () => ResolveAnswer,
): Promise<Resolution> {
  const { generation } = await stateIn(tx);
  for (;;) {
    const answer = ask();
    if ('resolution' in answer) return answer.resolution;
    const { domains, addresses, dns, settings, lists } = answer.ask;
    for (const domain of domains) loaded.routes.set(domain, await routeIn(tx, generation, domain));
    for (const key of addresses) loaded.aliases.set(key, await aliasIn(tx, generation, key));
    for (const dn of dns) loaded.recipients.set(dn, await recipientIn(tx, generation, dn));
    if (settings) loaded.loadedSettings = settingsOf(await settingsIn(tx, generation), site.fileRules);
    for (const question of lists) await loaded.load(tx, generation, question);
  }
}
