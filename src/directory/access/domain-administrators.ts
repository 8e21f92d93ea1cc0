// Whether a caller administers a domain, by the domain's name; another name of a domain is that domain.

import type { Reader } from '../../database/operation.ts';
import { dcDnOfDomain, normalizeDn } from '../dn.ts';
import { findEntry } from '../entries.ts';
import { textValue } from '../entry.ts';
import { prepareFor } from '../matching.ts';
import { ownDomainsOf } from './domains.ts';
import { look } from './look.ts';
import type { Plan } from './plan.ts';

export function administersDomain(reader: Reader, { caller, domains }: Plan, domain: string): boolean {
  if (!caller.isDomainAdministrator) return false;
  const dn = dcDnOfDomain(domain);
  const entry = findEntry(reader, dn);
  const other = entry && textValue(entry, 'aliasedobjectname');
  const at = (other === undefined ? undefined : prepareFor('distinguishedNameMatch', other)) ?? normalizeDn(dn);
  return look(reader, ownDomainsOf(at, domains)).some(({ administrators }) =>
    administrators.some((each) => each === caller.dn || caller.groups.has(each)),
  );
}
