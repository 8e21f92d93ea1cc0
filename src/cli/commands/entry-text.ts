// An entry for people, in the manner of LDIF.

import type { ShownEntry } from '../../admin/entries.ts';

export function entryText(entry: ShownEntry): string {
  const lines = Object.entries(entry.attributes).flatMap(([name, values]) =>
    values.map((value) => `${name}: ${visible(value)}`),
  );
  return [`dn: ${visible(entry.dn)}`, ...lines].join('\n');
}

/** A directory's text may hold what a terminal would obey. */
function visible(text: string): string {
  let clean = '';
  for (const c of text) {
    const code = c.codePointAt(0)!;
    clean += code < 0x20 || (code >= 0x7f && code < 0xa0) ? `\\x${code.toString(16).padStart(2, '0')}` : c;
  }
  return clean;
}
