// Names of virtual mail servers: `waypostServerName` on a domain entry, one host name, no two domains with the same.
//
// In      a name as a client sends it (SNI)
// Out     the domain that it serves; all names, for the local certificate
// An entry that makes no mail domain gives its name to nobody.

import type { Reader } from '../database/operation.ts';
import { entriesWith, indexedValues } from './entries.ts';
import { mailDomainOf } from './mail-domain.ts';

export const SERVER_NAME_ATTRIBUTE = 'waypostServerName';
export const SERVER_NAME_KEY = 'waypostservername';

/** The mail domain whose virtual server has this name. */
export function domainOfServerName(reader: Reader, name: string): string | undefined {
  for (const entry of entriesWith(reader, SERVER_NAME_ATTRIBUTE, name, 2)) {
    const domain = mailDomainOf(entry);
    if (domain !== undefined) return domain;
  }
  return undefined;
}

/** In lower case, at most `limit`. */
export function serverNames(reader: Reader, limit: number): readonly string[] {
  return indexedValues(reader, SERVER_NAME_KEY, limit);
}
