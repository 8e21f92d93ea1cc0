// An entry for people, in the manner of LDIF.

import type { ShownEntry } from '../../admin/entries.ts';
import { visible } from '../output.ts';

export function entryText(entry: ShownEntry): string {
  const lines = Object.entries(entry.attributes).flatMap(([name, values]) =>
    values.map((value) => `${name}: ${visible(value)}`),
  );
  return [`dn: ${visible(entry.dn)}`, ...lines].join('\n');
}
