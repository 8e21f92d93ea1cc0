// Whether a caller still sees what it saw, but for the entries that have changed themselves: a feed goes by those alone.
//
// In      a caller
// Out     a text that is another where rules, roles or groups have made its sight another; and since when it can be this one
// Limits  undefined where what it sees of one entry rests on others: that cannot be followed by the change log

import { idOf, type Revision } from '../../base/ids.ts';
import type { Reader } from '../../database/operation.ts';
import type { Caller } from '../caller.ts';
import { mayDoAll } from './check-change.ts';
import { look } from './look.ts';
import { planFor } from './plan.ts';
import { accessState, renewedAt } from './rules.ts';

export interface SightMark {
  readonly text: string;
  /** Of the last change that may have made it another. */
  readonly since: Revision;
}

const ALL: SightMark = { text: '', since: idOf(0) };

export function sightMark(reader: Reader, caller: Caller): SightMark | undefined {
  if (mayDoAll(caller)) return ALL;
  return reader.snapshot(() => {
    const plan = planFor(reader, caller);
    const looks = plan.lookMark;
    if (looks === undefined) return undefined;
    const { rules, scopes } = look(reader, accessState());
    // Where domains are matters to who administers one.
    const { isDomainAdministrator } = plan.caller;
    const since = isDomainAdministrator ? Math.max(renewedAt(rules), renewedAt(scopes)) : renewedAt(rules);
    return { text: isDomainAdministrator ? `${looks} ${scopes}` : looks, since: idOf(since) };
  });
}
