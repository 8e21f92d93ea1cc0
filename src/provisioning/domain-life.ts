// What the server writes into a domain's entry when the entry becomes a domain: who or what has made it one.
//
// In      an entry as an add, or a change of its classes, has made it; in its transaction
// Out     the same change with these attributes written in, as one change to all that follow from it
// Facts   waypostApex: a zone of ours begins at the domain (apexes.ts).
//         waypostDomainState: `defined` where somebody else's name servers are to have its records; `active` where a message
//         brings it by the record that somebody else keeps.
//         waypostDomainOrigin: the author's DN, `message`, or `waypost` for this program itself; waypostDomainEvidence beside
//         `message`. They stay when the entry changes; an entry that is older than they are has none.

import type { Awaitable, Transaction } from '../database/operation.ts';
import { applyChange } from '../directory/apply-change.ts';
import { domainOfDcDn } from '../directory/dn.ts';
import { type Attribute, type ChangedEntry, type Entry, hasClass } from '../directory/entry.ts';
import { hasDomainClass } from '../directory/mail-domain.ts';
import { MESSAGE_ORIGIN } from '../routing/compile.ts';
import { authorityIn } from '../zones/authority.ts';
import { compileZoneName } from '../zones/compile.ts';
import { isApex } from './apexes.ts';
import type { WriteOptions } from './write-options.ts';

const OWN_ORIGIN = 'waypost';

/** One fact a line: it gives an attribute, or nothing. */
type Fact = (tx: Transaction, domain: Entry, options: WriteOptions) => Awaitable<Attribute | undefined>;

const facts: readonly Fact[] = [
  (_tx, _domain, { broughtBy, author }) => ({
    name: 'waypostDomainOrigin',
    values: [broughtBy === undefined ? author || OWN_ORIGIN : MESSAGE_ORIGIN],
  }),
  async (tx, domain, { site, broughtBy }) => {
    const compiled = compileZoneName(domain);
    if (compiled === undefined) return undefined;
    const { authority } = await authorityIn(tx, compiled, site);
    if (authority === 'ours') return undefined;
    // Somebody else's record has brought it: that has been seen.
    const isSeen = authority === 'theirs' && broughtBy !== undefined;
    return { name: 'waypostDomainState', values: [isSeen ? 'active' : 'defined'] };
  },
  async (tx, domain) => {
    const compiled = compileZoneName(domain);
    if (compiled === undefined) return undefined;
    // It may have been one, and then no domain for a while.
    const { isApex: _, ...row } = compiled.row;
    const is = await isApex(tx, { ...compiled, row });
    return is || domain.attributes.has('waypostapex') ? { name: 'waypostApex', values: is ? ['TRUE'] : [] } : undefined;
  },
  (_tx, _domain, { broughtBy }) => broughtBy && { name: 'waypostDomainEvidence', values: [broughtBy.evidence] },
];

/** A domain with mail, an alias of one, or one without mail. */
function isDomain(entry: Entry | undefined): boolean {
  if (entry === undefined || !(hasDomainClass(entry) || hasClass(entry, 'inetdomain'))) return false;
  return domainOfDcDn(entry.normalizedDn) !== undefined;
}

export async function withLife(tx: Transaction, changed: ChangedEntry, options: WriteOptions): Promise<ChangedEntry> {
  const { kind, before, after } = changed;
  if (after === undefined || !isDomain(after) || isDomain(before)) return changed;
  const modifications = [];
  for (const fact of facts) {
    const attribute = await fact(tx, after, options);
    if (attribute === undefined) continue;
    modifications.push({ operation: 'replace' as const, attribute: attribute.name, values: attribute.values });
  }
  const given = await applyChange(tx, { kind: 'modify', dn: after.dn, modifications }, { ...options, ofServer: true });
  return { ...given, kind, before };
}
