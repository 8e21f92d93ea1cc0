// Which keys a domain has, and which of them sign for it now.
//
// In      the site's keys and the domain's own, which replace them; where their records were seen
// Out     those whose records are published; at most one of a kind that signs
// States  new (signs wherever its record was seen) -> signing -> retired (its record stays). Until the new one is seen its predecessor signs
// In a zone of ours a record can be seen from the commit on.
// RFC 6376 §3.6.2.1

import { TENANT } from '../base/tenant.ts';
import type { Reader, Transaction } from '../database/operation.ts';
import { pathOf } from './path.ts';
import { publishedKeys } from './published-keys.ts';
import { findZone, type ZoneParts } from './records.ts';
import type { ZoneKeyRow } from './settings.ts';

export interface KeyParts extends ZoneParts {
  /** Its record was seen where the domain's records are. */
  observed(selector: string, domain: string): boolean;
}

export function signingKeysOf(domain: string, parts: KeyParts): readonly ZoneKeyRow[] {
  // Nobody could verify.
  if (parts.names.find(domain)?.row?.omit?.includes('dkim') === true) return [];
  const isOurs = findZone(domain, parts) !== undefined;
  const usable = publishedKeys(domain, parts).filter(
    ({ key, state }) => state !== 'retired' && (isOurs || parts.observed(key, domain)),
  );
  return (['rsa', 'ed25519'] as const).flatMap(
    (type) => usable.filter((key) => key.type === type).sort(byAge)[0] ?? [],
  );
}

/** The domain's own first, then the new one, of several of a kind the one that came last. */
function byAge(one: ZoneKeyRow, other: ZoneKeyRow): number {
  if (one.domain !== other.domain) return other.domain === undefined ? -1 : 1;
  if (one.state !== other.state) return one.state === 'new' ? -1 : 1;
  return other.changedAt - one.changedAt || (one.key < other.key ? 1 : -1);
}

const OBSERVED = `SELECT 1 FROM key_observed WHERE tenant = ${TENANT} AND selector = ? AND path = ?`;

export function keyObserved(reader: Reader): KeyParts['observed'] {
  return (selector, domain) => reader.get(OBSERVED, selector, pathOf(domain)) !== undefined;
}

/** The record of this public key was seen; not where the key is another one by now. */
export async function noteObserved(
  tx: Transaction,
  path: string,
  { selector, publicKey, at }: { readonly selector: string; readonly publicKey: string; readonly at: number },
): Promise<boolean> {
  const [row] = await tx.arrays(
    `SELECT row FROM zone_key WHERE tenant = ${TENANT} AND path = ? AND selector = ?
     UNION ALL SELECT row FROM zone_setting WHERE tenant = ${TENANT} AND kind = 'key' AND key = ?`,
    path,
    selector,
    selector,
  );
  if (row === undefined || (JSON.parse(row[0] as string) as ZoneKeyRow).public !== publicKey) return false;
  const sql = 'INSERT OR IGNORE INTO key_observed (tenant, path, selector, at) VALUES (?, ?, ?, ?)';
  return (await tx.run(sql, TENANT, path, selector, at)) > 0;
}

/** Its record is not there any more: until it is seen again the key does not sign there. */
export async function forgetObserved(tx: Transaction, path: string, selector: string): Promise<void> {
  await tx.run('DELETE FROM key_observed WHERE tenant = ? AND selector = ? AND path = ?', TENANT, selector, path);
}

export async function isObservedIn(tx: Transaction, selector: string, domain: string): Promise<boolean> {
  return (await tx.get(OBSERVED, selector, pathOf(domain))) !== undefined;
}

/** The record is seen wherever one of these is, at domains that are still there. */
export async function isObservedLikeIn(tx: Transaction, selector: string, others: readonly string[]): Promise<boolean> {
  if (others.length === 0) return true;
  const behind = await tx.get(
    `SELECT 1 FROM key_observed o JOIN zone_name n ON n.tenant = o.tenant AND n.path = o.path AND n.row IS NOT NULL
     WHERE o.tenant = ${TENANT} AND o.selector IN (${others.map(() => '?').join(', ')})
       AND NOT EXISTS (SELECT 1 FROM key_observed k WHERE k.tenant = o.tenant AND k.selector = ? AND k.path = o.path) LIMIT 1`,
    ...others,
    selector,
  );
  return behind === undefined;
}
