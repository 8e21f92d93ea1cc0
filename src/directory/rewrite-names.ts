// Format 1 to 2: names as RFC 4514 has them, where format 1 kept what the client wrote.
//
// In      the entries in the order of their paths, so that each follows its superiors
// Out     `dn` of each: its own RDN as parseDn writes it, before the name of its superior

import { DN_LENGTH_MAX } from '../base/limits.ts';
import type { MigrationConnection } from '../database/operation.ts';
import { parseDn } from './dn.ts';

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
      const written = writtenName(dn, above.at(-1)?.dn);
      if (written !== dn) connection.run('UPDATE dit SET dn = ? WHERE id = ?', written, row['id']!);
      above.push({ path, dn: written });
    }
    done += page.length;
    connection.progress(done, of);
  }
}

/** A name that would be too long to be read again stays. */
function writtenName(dn: string, superior: string | undefined): string {
  const name = parseDn(dn);
  const written = superior === undefined ? name.text : `${name.rdns[0]!.text},${superior}`;
  return written.length > DN_LENGTH_MAX ? dn : written;
}
