// What stands at the primaries of others because we wrote it there: nothing else is ever deleted.
//
// In      what an update was to add, before it is sent; what a primary has acknowledged
// Out     rows of `dns_published` by domain
// States  intended (`at` 0: it may stand there, the answer was not seen) -> acknowledged -> gone. Both count as ours

import { TENANT } from '../base/tenant.ts';
import type { Reader, Transaction } from '../database/operation.ts';

export interface PublishedRecord {
  readonly name: string;
  readonly type: string;
  /** As in a zone file, in the spelling in which equal data are equal. */
  readonly data: string;
}

/** A zone at a primary. */
export interface PublishingPlace {
  /** The primary's name. */
  readonly server: string;
  readonly zone: string;
}

export interface PublishedAt extends PublishingPlace {
  readonly records: readonly PublishedRecord[];
}

/** By place. */
export function publishedOf(reader: Reader, path: string): readonly PublishedAt[] {
  const rows = reader.arrays(
    `SELECT server, zone, name, type, data FROM dns_published WHERE tenant = ${TENANT} AND path = ?`,
    path,
  ) as string[][];
  const places = new Map<string, PublishingPlace & { readonly records: PublishedRecord[] }>();
  for (const [server, zone, name, type, data] of rows) {
    const key = `${server} ${zone}`;
    const place = places.get(key) ?? { server: server!, zone: zone!, records: [] };
    places.set(key, place);
    place.records.push({ name: name!, type: type!, data: data! });
  }
  return [...places.values()];
}

interface PublishedChange extends PublishedAt {
  readonly path: string;
  readonly now: number;
}

/** These may stand there soon. */
export async function noteIntended(tx: Transaction, { path, server, zone, records }: PublishedChange): Promise<void> {
  for (const { name, type, data } of records)
    await tx.run(
      `INSERT OR IGNORE INTO dns_published (tenant, path, name, type, data, zone, server, at) VALUES (?, ?, ?, ?, ?, ?, ?, 0)`,
      ...[TENANT, path, name, type, data, zone, server],
    );
}

/** These stand there, and no others of this domain. */
export async function notePublished(tx: Transaction, change: PublishedChange): Promise<void> {
  const { path, server, zone, records, now } = change;
  const known = (await tx.arrays(
    'SELECT name, type, data, at FROM dns_published WHERE tenant = ? AND path = ? AND server = ? AND zone = ?',
    ...[TENANT, path, server, zone],
  )) as [string, string, string, number][];
  const stays = new Set(records.map(keyOf));
  const acknowledged = new Set(
    known.filter(([, , , at]) => at > 0).map(([name, type, data]) => keyOf({ name, type, data })),
  );
  for (const [name, type, data] of known)
    if (!stays.has(keyOf({ name, type, data })))
      await tx.run(
        `DELETE FROM dns_published
         WHERE tenant = ? AND path = ? AND server = ? AND zone = ? AND name = ? AND type = ? AND data = ?`,
        ...[TENANT, path, server, zone, name, type, data],
      );
  for (const record of records)
    if (!acknowledged.has(keyOf(record)))
      await tx.run(
        `INSERT OR REPLACE INTO dns_published (tenant, path, name, type, data, zone, server, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[TENANT, path, record.name, record.type, record.data, zone, server, now],
      );
}

function keyOf({ name, type, data }: PublishedRecord): string {
  return `${name} ${type} ${data}`;
}
