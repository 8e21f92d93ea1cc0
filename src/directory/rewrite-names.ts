// Format 1 to 2: names as RFC 4514 has them, where format 1 kept what the client wrote.
//
// In      the entries in the order of their paths, so that each follows its superiors
// Out     `dn` of each: its own RDN as parseDn writes it, before the name of its superior
// An entry's path says its name too, without its spelling, and is never wrong. `dn` may be: format 1 cut an escaped space
// at the end of an RDN, so that the backslash escaped the comma behind it, and a move could make a name too long to be read.

import { Failure } from '../base/failure.ts';
import { DN_LENGTH_MAX } from '../base/limits.ts';
import type { MigrationConnection } from '../database/operation.ts';
import { type Dn, normalizedOfPath, parseDn } from './dn.ts';

const PAGE = 'SELECT tenant, path, id, dn FROM dit WHERE (tenant, path) > (?, ?) ORDER BY tenant, path LIMIT +?';

export function rewriteNames(connection: MigrationConnection): void {
  const of = Number(connection.get('SELECT count(*) AS n FROM dit')?.['n']);
  /** The entry's superiors, the highest first. */
  const above: { readonly path: string; readonly dn: string }[] = [];
  let done = 0;
  for (const page of connection.pages(PAGE, ['tenant', 'path'], [0, ''])) {
    for (const row of page) {
      const [path, dn] = [String(row['path']), String(row['dn'])];
      while (above.length > 0 && !path.startsWith(above.at(-1)!.path)) above.pop();
      const superior = above.at(-1);
      const own = ownName(dn, path.slice(superior?.path.length ?? 0));
      const name = superior === undefined ? own : `${own},${superior.dn}`;
      // A name that would be too long to be read again stays.
      const written = name.length > DN_LENGTH_MAX ? dn : name;
      if (written !== dn) connection.run('UPDATE dit SET dn = ? WHERE id = ?', written, row['id']!);
      above.push({ path, dn: written });
    }
    done += page.length;
    connection.progress(done, of);
  }
}

/** The beginning of `dn` that has this path, as parseDn writes it: its RDN. The normalized name where nothing in `dn` has it. */
function ownName(dn: string, path: string): string {
  for (let end = dn.indexOf(','); ; end = dn.indexOf(',', end + 1)) {
    const name = readName(end < 0 ? dn : dn.slice(0, end));
    if (name?.path === path) return name.text;
    if (end < 0) return normalizedOfPath(path);
  }
}

function readName(text: string): Dn | undefined {
  try {
    return parseDn(text.endsWith('\\') ? `${text} ` : text);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return undefined;
  }
}
