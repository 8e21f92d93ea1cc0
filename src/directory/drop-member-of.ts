// A step of the tables: values of memberOf that clients have written go, since the groups themselves say who is in them.
//
// In      the entries that have one, one at a time: each may be as large as an entry can be
// Out     the same without it. Neither the index nor the change log has had anything of it that is still looked at

import type { MigrationConnection } from '../database/operation.ts';

/** A quote inside of a value is written with a backslash. */
const PAGE = 'SELECT id FROM dit WHERE id > ? AND instr(attributes, \'["memberOf"\') ORDER BY id LIMIT +?';

export function dropMemberOf(connection: MigrationConnection): void {
  for (const page of connection.pages(PAGE, ['id'], [0]))
    for (const { id } of page) {
      const row = connection.get('SELECT attributes FROM dit WHERE id = ?', id!)!;
      const attributes = JSON.parse(String(row['attributes'])) as [name: string, values: unknown][];
      const kept = attributes.filter(([name]) => name !== 'memberOf');
      connection.run('UPDATE dit SET attributes = ? WHERE id = ?', JSON.stringify(kept), id!);
    }
}
