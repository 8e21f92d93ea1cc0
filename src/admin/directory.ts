// directory diff: what an LDIF file would do to routing, before it is loaded. Who may do what: directory-access.ts.

import { z } from 'zod';
import { isAccepted } from '../base/reply.ts';
import { parseLdif } from '../directory/ldif.ts';
import { formatAddress } from '../message/address.ts';
import { diff, type MovedRow } from '../provisioning/diff.ts';
import { INTERNAL_REQUEST } from '../routing/route-request.ts';
import { addressOfKey } from '../routing/rows.ts';
import { readRowsAfter } from '../routing/table-contents.ts';
import type { EntryParts } from './entries.ts';
import { adminOperation } from './operation.ts';

/** Changes of one file, and the octets of it. */
const CHANGES_MAX = 1000;
const LDIF_MAX = 16 * 1024 * 1024;
/** Addresses that are asked for before and behind the changes. */
const ASKED_MAX = 5000;
/** Rows that are looked through for the addresses of a domain, a page a turn. */
const SCANNED_MAX = 1_000_000;
const PAGE = 1000;

export interface DirectoryDiff {
  readonly entries: readonly { readonly change: string; readonly dn: string; readonly generated: boolean }[];
  readonly routes: readonly MovedRow[];
  readonly aliases: readonly MovedRow[];
  /** Addresses that get mail now, and would not any more, with what RCPT would say. */
  readonly unroutable: readonly { readonly address: string; readonly reply: string }[];
}

export const directoryDiff = (parts: EntryParts) =>
  adminOperation(
    'directory.diff',
    z.strictObject({ ldif: z.string().max(LDIF_MAX) }),
    async ({ ldif }, caller, peer): Promise<DirectoryDiff> => {
      const { writer, routing, clock } = parts;
      const changes = parseLdif(ldif, CHANGES_MAX);
      // What crosses to the writer holds no functions; addresses that this site has signed are in no table that could move.
      const { tokens: _, ...site } = routing.site;
      const args = { changes, caller, peer, now: clock.now(), site };
      const { entries, routes, aliases } = await writer.execute(diff, { ...args, asked: [] });
      const asked = await routableNow(parts, await addressesIn(parts, routes, aliases));
      const { refused } = await writer.execute(diff, { ...args, asked });
      const unroutable = refused.map(({ key, reply }) => ({
        address: formatAddress(addressOfKey(key)),
        reply: `${reply.code} ${reply.enhanced} ${reply.text}`,
      }));
      return {
        entries: entries.map(({ kind, dn, generated }) => ({ change: kind, dn, generated })),
        routes: written(routes),
        aliases: written(aliases),
        unroutable,
      };
    },
  );

/** Of rows that move, and of domains whose rows do. */
async function addressesIn(
  { reader }: EntryParts,
  routes: readonly MovedRow[],
  aliases: readonly MovedRow[],
): Promise<string[]> {
  const keys = new Set(aliases.map(({ key }) => key));
  const domains = new Set(routes.filter(({ change }) => change !== 'made').map(({ key }) => key));
  let after = '';
  for (let scanned = 0; domains.size > 0 && scanned < SCANNED_MAX && keys.size < ASKED_MAX; scanned += PAGE) {
    const page = readRowsAfter(reader, 'alias', after, PAGE);
    for (const { key } of page) if (domains.has(key.slice(key.lastIndexOf('@') + 1))) keys.add(key);
    if (page.length < PAGE) break;
    after = page.at(-1)!.key;
    await new Promise((turn) => setImmediate(turn));
  }
  return [...keys].slice(0, ASKED_MAX);
}

async function routableNow({ routing }: EntryParts, keys: readonly string[]): Promise<string[]> {
  const routable: string[] = [];
  for (const key of keys) {
    const { reply } = await routing.resolve(addressOfKey(key), INTERNAL_REQUEST);
    if (isAccepted(reply)) routable.push(key);
  }
  return routable;
}

/** Addresses as SMTP writes them. */
function written(rows: readonly MovedRow[]): MovedRow[] {
  return rows.map((row) => ({ ...row, key: row.key.includes('@') ? formatAddress(addressOfKey(row.key)) : row.key }));
}
