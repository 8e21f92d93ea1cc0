// Entries that are made along with the one that is added: the nodes above a domain, the containers below it.
//
// Names   `dc=example` above `dc=acme,dc=example,o=internet`: class `domain` only, neither a mail domain nor a zone;
//         `ou=People` and `ou=Groups` below a domain entry without inetDomainBaseDN
// Rules   a later add of such an entry takes it over, once; deleting a domain deletes its empty containers; the nodes above
//         stay

import type { Transaction } from '../database/operation.ts';
import { type ApplyOptions, applyChange } from '../directory/apply-change.ts';
import { childOf, type Dn, domainOfDcDn, parentOf, parseDn, parseRdn } from '../directory/dn.ts';
import { childrenIn, findEntryIn, hasChildrenIn } from '../directory/entries.ts';
import { type Attribute, type ChangedEntry, type DirectoryChange, type Entry, hasClass } from '../directory/entry.ts';
import { mailDomainOf } from '../directory/mail-domain.ts';

const CONTAINERS = ['People', 'Groups'] as const;

/** The nodes of the DC tree that are missing above this one, from the top down; none for a DN outside that tree. */
export async function addMissingNodes(tx: Transaction, dn: Dn, options: ApplyOptions): Promise<ChangedEntry[]> {
  if (!isDcNode(dn)) return [];
  const missing: Dn[] = [];
  for (let above = parentOf(dn); above !== undefined && isDcNode(above); above = parentOf(above)) {
    if ((await findEntryIn(tx, above)) !== undefined) break;
    missing.unshift(above);
  }
  const made: ChangedEntry[] = [];
  for (const node of missing) {
    const { typeText, value } = node.rdns[0]!.avas[0]!;
    made.push(
      await applyChange(tx, addOf(node, 'domain', { name: typeText, values: [value] }), {
        ...options,
        generated: true,
      }),
    );
  }
  return made;
}

function isDcNode(dn: Dn): boolean {
  return domainOfDcDn(dn) !== undefined;
}

/** The containers that a domain entry lacks which is no alias and has no base of its own. */
export async function addContainers(
  tx: Transaction,
  { after: domain }: ChangedEntry,
  options: ApplyOptions,
): Promise<ChangedEntry[]> {
  if (domain === undefined) return [];
  const isDomain = hasClass(domain, 'maildomain') && mailDomainOf(domain) !== undefined;
  const hasPeopleElsewhere = domain.attributes.has('inetdomainbasedn') || domain.attributes.has('aliasedobjectname');
  if (!isDomain || hasPeopleElsewhere) return [];
  const made: ChangedEntry[] = [];
  for (const name of CONTAINERS) {
    const dn = childOf(parseDn(domain.dn), parseRdn(`ou=${name}`));
    if ((await findEntryIn(tx, dn)) !== undefined) continue;
    const change = addOf(dn, 'organizationalUnit', { name: 'ou', values: [name] });
    made.push(await applyChange(tx, change, { ...options, generated: true }));
  }
  return made;
}

/** Only when nothing else is below the domain: otherwise deleting the domain itself says what is wrong. */
export async function deleteEmptyContainers(
  tx: Transaction,
  domain: Entry,
  options: ApplyOptions,
): Promise<ChangedEntry[]> {
  if (mailDomainOf(domain) === undefined) return [];
  const children = await childrenIn(tx, domain.id, CONTAINERS.length + 1);
  for (const child of children) if (!isContainer(child) || (await hasChildrenIn(tx, child.id))) return [];
  const gone: ChangedEntry[] = [];
  for (const child of children) gone.push(await applyChange(tx, { kind: 'delete', dn: child.dn }, options));
  return gone;
}

function isContainer(entry: Entry): boolean {
  return entry.generated === true && parseDn(entry.dn).rdns[0]?.avas[0]?.type?.key === 'ou';
}

/**
 * The change that gives a generated entry, as it was made, the attributes of an add; undefined when the entry has been
 * added or changed already, or does not exist. Its UUID and the entries below it stay.
 */
export function takeOver(existing: Entry | undefined, attributes: readonly Attribute[]): DirectoryChange | undefined {
  // An entry's id is the revision that made it: the same revision means that it has not been changed since.
  if (existing?.generated !== true || existing.revision !== existing.id) return undefined;
  const replaced = attributes.map(({ name, values }) => ({ operation: 'replace' as const, attribute: name, values }));
  return { kind: 'modify', dn: existing.dn, modifications: replaced };
}

function addOf(dn: Dn, objectClass: string, naming: Attribute): DirectoryChange {
  const attributes = [{ name: 'objectClass', values: [objectClass] }, naming];
  return { kind: 'add', dn: dn.text, attributes };
}
