// The virtual mail server that a client asks for, remembered until the directory changes.
//
// Limits  NAMES_MAX names, beyond which all are forgotten: clients may ask for anything

import type { PublishedRevision } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { domainOfServerName } from '../directory/server-names.ts';

const NAMES_MAX = 10_000;

/** Gives the domain of a virtual server's name, in lower case; undefined for another name. */
export function createServerNames(
  reader: Reader,
  revision: () => PublishedRevision,
): (name: string) => string | undefined {
  let at: PublishedRevision | undefined;
  const known = new Map<string, string | undefined>();
  return (name) => {
    if (at !== revision() || known.size >= NAMES_MAX) {
      known.clear();
      at = revision();
    }
    if (!known.has(name)) known.set(name, domainOfServerName(reader, name));
    return known.get(name);
  };
}
