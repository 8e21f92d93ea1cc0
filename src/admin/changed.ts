// What a change did, or would do, as operations answer it. Apart from what reads their input: a protocol thread answers so, too.

import type { Revision } from '../base/ids.ts';
import type { ChangeSummary } from '../provisioning/change.ts';

export interface Changed {
  readonly dryRun: boolean;
  readonly revision: Revision;
  readonly entries: readonly { readonly change: string; readonly dn: string; readonly generated: boolean }[];
  readonly rows: ChangeSummary['rows'];
}

export function changedOf(summary: ChangeSummary, isDryRun: boolean): Changed {
  return {
    dryRun: isDryRun,
    revision: summary.revision,
    entries: summary.entries.map(({ kind, dn, generated }) => ({ change: kind, dn, generated })),
    rows: summary.rows,
  };
}
