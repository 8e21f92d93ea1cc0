// What the last full synchronization and the last proof have found: routing_check, one row for each kind.

import type { Json } from '../base/json.ts';
import { TENANT } from '../base/tenant.ts';
import type { Reader, Transaction } from '../database/operation.ts';

export interface TableCheck {
  readonly kind: 'full' | 'verify';
  /** Epoch milliseconds. */
  readonly at: number;
  /** What it found, as it was printed. */
  readonly result: Json;
}

export async function noteCheckIn(tx: Transaction, { kind, at, result }: TableCheck): Promise<void> {
  const json = JSON.stringify(result);
  await tx.run(
    'INSERT OR REPLACE INTO routing_check (tenant, kind, at, result) VALUES (?, ?, ?, ?)',
    TENANT,
    kind,
    at,
    json,
  );
}

export function readCheck(reader: Reader, kind: TableCheck['kind']): TableCheck | undefined {
  const row = reader.get('SELECT at, result FROM routing_check WHERE tenant = ? AND kind = ?', TENANT, kind);
  return row && { kind, at: Number(row['at']), result: JSON.parse(String(row['result'])) as Json };
}
