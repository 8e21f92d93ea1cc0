// Which changes make rules, roles, or the places of domains others: the state row says so (rules.ts), in the transaction.
//
// In      an entry before and after
// Reads   nothing for nearly all changes; for one of a group whether a rule or a domain names it, or a group that it is in

import { TENANT } from '../../base/tenant.ts';
import type { Transaction } from '../../database/operation.ts';
import type { ChangedEntry, Entry } from '../entry.ts';
import { cutIndexValue } from '../indexes.ts';
import { ADMINISTRATOR_KEY, aboveOf, isDomain } from './domains.ts';
import { groupsOf } from './groups.ts';
import { lookIn } from './look.ts';
import { inTransactions } from './plan.ts';
import { hostsDn, isServerEntry, siteAdministrators } from './roles.ts';
import { ACI_KEY, renewState } from './rules.ts';

const NAMED = `SELECT 1 FROM dit_index WHERE tenant = ? AND attribute = '${ADMINISTRATOR_KEY}'
  AND value IN (SELECT value FROM json_each(?)) LIMIT 1`;
const CHILD = 'SELECT 1 FROM dit WHERE parent = ? LIMIT 1';

const SCOPE_KEYS = ['objectclass', 'inetdomainbasedn', ADMINISTRATOR_KEY];

export async function noteAccessChange(tx: Transaction, changed: ChangedEntry): Promise<void> {
  const { before, after } = changed;
  const hasMoved = before?.normalizedDn !== after?.normalizedDn;
  const isSubtree = hasMoved && before !== undefined && after !== undefined && (await hasChild(tx, after));
  if (isSubtree || movesDomain(changed, hasMoved)) await renewState(tx, 'scopes');
  if (isSubtree || movesAttribute(changed, hasMoved, ACI_KEY)) await renewState(tx, 'rules');
  else if (movesRoles(changed, hasMoved) || (await movesNamedGroup(tx, changed, hasMoved)))
    await renewState(tx, 'roles');
}

function movesRoles(changed: ChangedEntry, hasMoved: boolean): boolean {
  const { before, after } = changed;
  return (
    movesAttribute(changed, hasMoved, ADMINISTRATOR_KEY) ||
    (hasMoved ? isServer(before) || isServer(after) : isServer(before) !== isServer(after))
  );
}

function movesAttribute({ before, after }: ChangedEntry, hasMoved: boolean, key: string): boolean {
  return hasMoved ? has(before, after, key) : differs(before, after, key);
}

function isServer(entry: Entry | undefined): boolean {
  return entry !== undefined && aboveOf(entry.normalizedDn) === hostsDn() && isServerEntry(entry);
}

function movesDomain({ before, after }: ChangedEntry, hasMoved: boolean): boolean {
  const isOne = (entry: Entry | undefined): boolean => entry !== undefined && isDomain(entry);
  if (!isOne(before) && !isOne(after)) return false;
  return hasMoved || SCOPE_KEYS.some((key) => differs(before, after, key));
}

function has(before: Entry | undefined, after: Entry | undefined, key: string): boolean {
  return before?.attributes.has(key) === true || after?.attributes.has(key) === true;
}

/** A change leaves the attributes that it does not name as they are: the same object. */
function differs(before: Entry | undefined, after: Entry | undefined, key: string): boolean {
  return before?.attributes.get(key) !== after?.attributes.get(key);
}

async function movesNamedGroup(
  tx: Transaction,
  { before, after, movesMembers }: ChangedEntry,
  hasMoved: boolean,
): Promise<boolean> {
  const hasMembers = before?.memberCounts !== undefined || after?.memberCounts !== undefined;
  if (!movesMembers && !(hasMoved && hasMembers)) return false;
  const own = [before, after].flatMap((entry) => entry?.normalizedDn ?? []);
  const named = await lookIn(tx, inTransactions.groups());
  for (const dn of new Set(own)) {
    const groups = [dn, ...(await lookIn(tx, groupsOf(dn)))];
    if (groups.some((group) => group === siteAdministrators() || named.has(group))) return true;
    if ((await tx.arrays(NAMED, TENANT, JSON.stringify(groups.map(cutIndexValue)))).length > 0) return true;
  }
  return false;
}

async function hasChild(tx: Transaction, { id }: Entry): Promise<boolean> {
  return (await tx.arrays(CHILD, id)).length > 0;
}
