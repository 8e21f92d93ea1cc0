// domain add, list, show, remove.

import { z } from 'zod';
import { Failure } from '../base/failure.ts';
import { sightOf } from '../directory/access/sight.ts';
import { dcDnOfDomain } from '../directory/dn.ts';
import { entriesWith, findEntry, hasChildren } from '../directory/entries.ts';
import { mailDomainOf } from '../directory/mail-domain.ts';
import { leaveNode } from '../provisioning/domain-rename/operations.ts';
import type { RouteRow, Status } from '../routing/rows.ts';
import { readRoutes } from '../routing/table-contents.ts';
import type { ZoneSite } from '../zones/settings.ts';
import { administersOnly } from './audience.ts';
import { type Changed, changedOf } from './changed.ts';
import { type DomainStanding, domainState, standingOf } from './domain-standing.ts';
import {
  dryRun,
  type EntryParts,
  LIST_MAX,
  named,
  type ShownEntry,
  show,
  submitForCommand,
  valuesOf,
} from './entries.ts';
import { domainOf, mailAddressOf } from './naming.ts';
import { adminOperation, forDomains } from './operation.ts';

const name = z.string().min(1).max(255);
/** Domains of a turn. */
const PAGE = 1000;

export interface ListedDomain {
  readonly domain: string;
  readonly dn: string;
  /** `active`, or the first status that is not. */
  readonly status: string;
  readonly catchall: string | null;
  /** The domain that this is another name of; `''`: of none that can be read. */
  readonly aliasOf: string | null;
}

function statusWord(status: Status | undefined): string {
  return status === undefined ? 'active' : typeof status === 'string' ? status : `illegal: ${status.illegal}`;
}

function listed(row: RouteRow): ListedDomain {
  const status = [row.inetDomainStatus, row.mailDomainStatus].find((each) => statusWord(each) !== 'active');
  return {
    domain: row.domain,
    dn: dcDnOfDomain(row.domain),
    status: statusWord(status),
    catchall: row.catchall ?? null,
    aliasOf: row.aliasOf ?? null,
  };
}

export const domainAdd = (parts: EntryParts) =>
  adminOperation(
    'domain.add',
    z.strictObject({ domain: name, catchall: z.string().optional(), dryRun }),
    (input, caller, peer): Promise<Changed> => {
      const domain = domainOf(input.domain);
      const catchall = input.catchall === undefined ? [] : [mailAddressOf(input.catchall).text];
      const dn = dcDnOfDomain(domain);
      const submitted = submitForCommand(
        parts,
        {
          kind: 'add',
          dn,
          attributes: valuesOf({
            objectClass: ['domain', 'inetDomain', 'mailDomain'],
            dc: [domain.split('.')[0]!],
            mailDomainCatchallAddress: catchall,
          }),
        },
        { caller, peer, dryRun: input.dryRun },
      );
      return named(submitted, {
        entryAlreadyExists: () =>
          parts.routing.route(domain) === undefined
            ? `${dn} exists already, and is no mail domain: add the classes inetDomain and mailDomain to it`
            : `${domain} exists already`,
      });
    },
  );

export const domainList = (parts: EntryParts) =>
  forDomains(
    adminOperation('domain.list', z.strictObject({}), async (_, caller): Promise<ListedDomain[]> => {
      const only = administersOnly(parts.reader, caller);
      const list: ListedDomain[] = [];
      for (let page: RouteRow[] | undefined; page?.length !== 0 && list.length < LIST_MAX; ) {
        page = readRoutes(parts.reader, page?.at(-1)?.domain, PAGE);
        list.push(...page.map(listed).filter(({ domain }) => only === undefined || only.has(domain)));
        await new Promise((resolve) => setImmediate(resolve));
      }
      return list.slice(0, LIST_MAX);
    }),
    () => [],
  );

export type ShownDomain = ListedDomain & DomainStanding & { readonly entry: ShownEntry };

export const domainShow = (parts: EntryParts & { readonly zoneSite: ZoneSite }) =>
  forDomains(
    adminOperation('domain.show', z.strictObject({ domain: name }), (input, caller): ShownDomain => {
      const domain = domainOf(input.domain);
      const row = parts.routing.route(domain);
      const entry = findEntry(parts.reader, dcDnOfDomain(domain));
      if (row === undefined) throw notADomain(domain);
      if (entry === undefined) throw withoutEntry(domain, row);
      const shown = sightOf(parts.reader, caller, false).shown(entry);
      if (shown === undefined) throw notADomain(domain);
      const standing = parts.reader.snapshot(() => standingOf(domain, shown, parts));
      return { ...listed(row), ...standing, state: domainState(entry), entry: show(parts.reader, shown) };
    }),
    ({ domain }) => [domain],
  );

export const domainRemove = (parts: EntryParts) =>
  adminOperation(
    'domain.remove',
    z.strictObject({ domain: name, dryRun }),
    async (input, caller, peer): Promise<Changed> => {
      const domain = domainOf(input.domain);
      const dn = dcDnOfDomain(domain);
      const row = parts.routing.route(domain);
      if (row === undefined) throw notADomain(domain);
      if (findEntry(parts.reader, dn) === undefined) throw withoutEntry(domain, row);
      const isDryRun = input.dryRun ?? false;
      if (isBaseOfOthers(parts, dn)) {
        const args = { domain, caller, now: parts.clock.now(), dryRun: isDryRun };
        return changedOf(await parts.writer.execute(leaveNode, args), isDryRun);
      }
      return named(submitForCommand(parts, { kind: 'delete', dn }, { caller, peer, dryRun: isDryRun }), {
        notAllowedOnNonLeaf: `${domain} has users, lists or subdomains: see waypost user list ${domain}`,
      });
    },
  );

/** People of another domain live below it, as after a rename: the node stays for them. */
function isBaseOfOthers({ reader }: EntryParts, dn: string): boolean {
  const own = findEntry(reader, dn)!;
  if (!hasChildren(reader, own.id)) return false;
  const others = entriesWith(reader, 'inetDomainBaseDN', own.dn, 10);
  return others.some((entry) => entry.id !== own.id && mailDomainOf(entry) !== undefined);
}

/** A value of associatedDomain. */
function withoutEntry(domain: string, { aliasOf }: RouteRow): Failure {
  return new Failure('not-found', `${domain} is an associatedDomain of ${aliasOf} and has no entry of its own`);
}

function notADomain(domain: string): Failure {
  return new Failure('not-found', `${domain} is not a mail domain here`);
}
