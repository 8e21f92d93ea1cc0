// An entry for people, in the manner of LDIF.

import type { ShownEntry } from '../../admin/entries.ts';
import { printable } from '../output.ts';

export function entryText(entry: ShownEntry): string {
  const lines = Object.entries(entry.attributes).flatMap(([name, values]) =>
    values.map((value) => `${name}: ${printable(value)}`),
  );
  const more = entry.more === undefined ? [] : [`# and ${entry.more} more members`];
  return [`dn: ${printable(entry.dn)}`, ...lines, ...more].join('\n');
}
