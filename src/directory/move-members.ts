// Format 2 to 3: members of lists become rows, where format 2 kept them in the JSON of their entry.
//
// In      the entries that have one of the attributes, one at a time: each may be as large as an entry can be
// Out     their values in dit_value in the order in which they stood, and how many there are; the rest of the JSON as it was
// Values that a language tag told apart (`mgrpRFC822MailMember;lang-fr`) stand together: equal ones become one.

import { asciiLower } from '../base/characters.ts';
import type { MigrationConnection } from '../database/operation.ts';
import { memberCountsToText } from './entries.ts';
import type { ValueCount } from './entry.ts';
import { memberRow } from './member-values.ts';
import { schema, typeKeyOf } from './schema.ts';

/** As format 2 keeps an entry's attributes; values that are octets are objects. */
type JsonAttributes = [name: string, values: (string | { readonly b: string })[]][];

/** A quote inside of a value is written with a backslash. */
const PAGE =
  'SELECT id FROM dit WHERE id > ? AND (instr(attributes, \'["uniqueMember"\') OR instr(attributes, \'["member"\') OR ' +
  "instr(attributes, '[\"mgrpRFC822MailMember')) ORDER BY id LIMIT +?";
const INSERT =
  'INSERT INTO dit_value (tenant, entry, attribute, key, value, target) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING';

export function moveMembers(connection: MigrationConnection): void {
  const of = Number(connection.get('SELECT count(*) AS n FROM dit')?.['n']);
  let done = 0;
  for (const page of connection.pages(PAGE, ['id'], [0])) {
    for (const { id } of page) {
      moveFrom(connection, Number(id));
      connection.progress(++done, of);
    }
  }
}

function moveFrom(connection: MigrationConnection, entry: number): void {
  const row = connection.get('SELECT attributes FROM dit WHERE id = ?', entry)!;
  const kept: JsonAttributes = [];
  const counts = new Map<string, ValueCount>();
  for (const [name, values] of JSON.parse(String(row['attributes'])) as JsonAttributes) {
    const type = schema().attributeType(typeKeyOf(asciiLower(name)));
    if (type?.isKeptInRows !== true) {
      kept.push([name, values]);
      continue;
    }
    let { count, length } = counts.get(type.key) ?? { count: 0, length: 0 };
    for (const value of values) {
      const text = typeof value === 'string' ? value : Buffer.from(value.b, 'base64').toString('utf8');
      if (connection.run(INSERT, ...memberRow(entry, type, text)) === 0) continue;
      count++;
      length += text.length;
    }
    counts.set(type.key, { count, length });
  }
  const sql = 'UPDATE dit SET attributes = ?, member_counts = ? WHERE id = ?';
  connection.run(sql, JSON.stringify(kept), memberCountsToText(counts), entry);
}
