// What `add` and `remove` print: each entry that was touched, and how many table rows followed.

import type { Changed } from '../../admin/changed.ts';
import { printable } from '../output.ts';

export function changedText(changed: Changed): string {
  const verb = { add: 'added', modify: 'changed', delete: 'removed', rename: 'renamed' } as const;
  const would = changed.dryRun ? 'would be ' : '';
  const lines = changed.entries.map(
    ({ change, dn, generated }) =>
      `${would}${verb[change as keyof typeof verb]}  ${printable(dn)}${generated ? '  (made along the way)' : ''}`,
  );
  const rows = `${changed.rows.length} table ${changed.rows.length === 1 ? 'row' : 'rows'} ${changed.dryRun ? 'would follow' : 'followed'}`;
  return [...lines, changed.dryRun ? rows : `${rows}, revision ${changed.revision}`].join('\n');
}
