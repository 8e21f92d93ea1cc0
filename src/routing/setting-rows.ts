// Rules, channels and hosts as rows of the database: routing_setting. They are few, and read as a whole (settings.ts).
//
// Written in the transaction of the directory change, as all rows of the tables are.

import { TENANT } from '../base/tenant.ts';
import type { Reader, Transaction } from '../database/operation.ts';
import { type Generation, remember } from './generation.ts';
import { parsedRow } from './rows.ts';
import type { SettingRow } from './settings.ts';

const SETTINGS = 'SELECT row FROM routing_setting WHERE tenant = ? AND generation = ? ORDER BY kind, key LIMIT 100000';
const SETTING = 'SELECT row FROM routing_setting WHERE tenant = ? AND generation = ? AND kind = ? AND key = ?';

export function readSettings(reader: Reader, generation: number): SettingRow[] {
  return reader.all(SETTINGS, TENANT, generation).map((row) => JSON.parse(row['row'] as string) as SettingRow);
}

export function readSetting(reader: Reader, generation: number, kind: string, key: string): SettingRow | null {
  return parsedRow(reader.get(SETTING, TENANT, generation, kind, key));
}

export async function settingIn(
  tx: Transaction,
  generation: number,
  kind: SettingRow['kind'],
  key: string,
): Promise<SettingRow | null> {
  return parsedRow(await tx.get(SETTING, TENANT, generation, kind, key));
}

export async function settingsIn(tx: Transaction, generation: number): Promise<SettingRow[]> {
  return (await tx.all(SETTINGS, TENANT, generation)).map((row) => JSON.parse(row['row'] as string) as SettingRow);
}

/** A rule, channel or host becomes `after`; undefined: it goes. */
export async function writeSetting(
  tx: Transaction,
  into: Generation,
  { kind, key }: Pick<SettingRow, 'kind' | 'key'>,
  { before, after }: { readonly before: SettingRow | null; readonly after: SettingRow | undefined },
): Promise<void> {
  if (after === undefined)
    await tx.run(
      'DELETE FROM routing_setting WHERE tenant = ? AND generation = ? AND kind = ? AND key = ?',
      TENANT,
      into.number,
      kind,
      key,
    );
  else
    await tx.run(
      'INSERT OR REPLACE INTO routing_setting (tenant, generation, kind, key, row, revision, problems) VALUES (?, ?, ?, ?, ?, ?, ?)',
      TENANT,
      into.number,
      kind,
      key,
      JSON.stringify(after),
      tx.revision,
      after.problems?.length ?? 0,
    );
  await remember(tx, into, kind, key, before);
}
