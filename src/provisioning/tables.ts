// What provisioning remembers beside the directory: which peer brought which domain, for an hour; how far sources are followed.

import { TENANT } from '../base/tenant.ts';
import type { Unit } from '../database/format.ts';
import type { Reader, Transaction } from '../database/operation.ts';

export const provisioningUnit: Unit = {
  name: 'provisioning',
  migrations: [
    {
      version: 1,
      statements: [
        `CREATE TABLE arrival (
          tenant INTEGER NOT NULL,
          peer TEXT NOT NULL,
          at INTEGER NOT NULL,
          domain TEXT NOT NULL,
          PRIMARY KEY (tenant, peer, at, domain)
        ) WITHOUT ROWID`,
        'CREATE INDEX arrival_at ON arrival (at)',
      ],
    },
    {
      // An older program would show to the administrator what is hidden: private keys among the entries.
      version: 2,
      rewrites: true,
      statements: ['CREATE INDEX arrival_tenant_at ON arrival (tenant, at)'],
    },
    {
      // How far a source of entries has been followed. `cookie` is the source's word, or ours where it has none.
      version: 3,
      statements: [
        `CREATE TABLE mirror (
          tenant INTEGER NOT NULL,
          name TEXT NOT NULL,
          cookie TEXT NOT NULL,
          PRIMARY KEY (tenant, name)
        ) WITHOUT ROWID`,
      ],
    },
  ],
};

/** Domains that this peer has brought since then. */
export async function countArrivals(tx: Transaction, tenant: number, peer: string, since: number): Promise<number> {
  const row = await tx.get(
    'SELECT count(*) AS n FROM arrival WHERE tenant = ? AND peer = ? AND at > ?',
    tenant,
    peer,
    since,
  );
  return Number(row?.['n']);
}

/** Domains that messages of all peers have brought since then. */
export async function countAllArrivals(tx: Transaction, tenant: number, since: number): Promise<number> {
  const row = await tx.get('SELECT count(*) AS n FROM arrival WHERE tenant = ? AND at > ?', tenant, since);
  return Number(row?.['n']);
}

export async function noteArrival(
  tx: Transaction,
  arrival: { readonly tenant: number; readonly peer: string; readonly at: number; readonly domain: string },
  forgetBefore: number,
): Promise<void> {
  await tx.run('DELETE FROM arrival WHERE at < ?', forgetBefore);
  await tx.run(
    'INSERT OR IGNORE INTO arrival (tenant, peer, at, domain) VALUES (?, ?, ?, ?)',
    arrival.tenant,
    arrival.peer,
    arrival.at,
    arrival.domain,
  );
}

/** Undefined for a source that nothing has come from. */
export function mirrorCookie(reader: Reader, name: string): string | undefined {
  return reader.arrays('SELECT cookie FROM mirror WHERE tenant = ? AND name = ?', TENANT, name)[0]?.[0] as
    | string
    | undefined;
}

export async function noteMirrorCookie(tx: Transaction, name: string, cookie: string): Promise<void> {
  await tx.run(
    'INSERT INTO mirror (tenant, name, cookie) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET cookie = excluded.cookie',
    TENANT,
    name,
    cookie,
  );
}
