// All rules of the directory, compiled; and when they have to be compiled anew.
//
// In      the values of `aci`, wherever they stand
// Out     rules by the entry at which they stand; the groups that they name
// State   one row of two texts, each new where what it is about has changed: `rules` for rules, roles and groups that one
//         names, with a part that is new for rules alone; `scopes` for where domains are. A thread that has read the same texts
//         before has nothing to read, and one that has read the same part compiles nothing
// Limits  ACI_VALUES_MAX values in the directory: one more is refused (provisioning/aci-check.ts). What is there is obeyed, however
//         much: a rule that is left out may be the one that keeps somebody out
// A value that does not parse any more, since the schema has lost what it names, refuses everything below: no way in by a
// rule that was to keep out.

import { randomUUID } from 'node:crypto';
import { idOf, type Revision } from '../../base/ids.ts';
import { TENANT } from '../../base/tenant.ts';
import type { Transaction } from '../../database/operation.ts';
import { normalizedOfPath } from '../dn.ts';
import { attributesOfJson } from '../entries.ts';
import type { Look } from './look.ts';
import { parseAci } from './parse.ts';
import { type Aci, type AciRule, type Bind, RIGHTS } from './rule.ts';

export const ACI_KEY = 'aci';
export interface AciRules {
  /** By the normalized DN of the entry at which they stand. */
  readonly at: ReadonlyMap<string, readonly AciRule[]>;
  /** Normalized DNs of the groups that they name. */
  readonly groups: ReadonlySet<string>;
}

export const ACI_VALUES_MAX = 100_000;
/** Entries. */
const PAGE = 100_000;

const WITH_RULES = `SELECT dn, path, attributes FROM dit WHERE id IN (
  SELECT entry FROM dit_index WHERE tenant = ? AND attribute = '${ACI_KEY}') AND path > ? ORDER BY path LIMIT +?`;
const COUNT = `SELECT count(*) FROM (SELECT 1 FROM dit_index WHERE tenant = ? AND attribute = '${ACI_KEY}' LIMIT +?)`;
export const STATE = 'SELECT rules, scopes FROM dit_access WHERE id = 1';

export async function hasTooManyRules(tx: Transaction): Promise<boolean> {
  const [row] = await tx.arrays(COUNT, TENANT, ACI_VALUES_MAX + 1);
  return Number(row?.[0]) > ACI_VALUES_MAX;
}

export function* ruleSet(): Look<AciRules> {
  const at = new Map<string, AciRule[]>();
  const groups = new Set<string>();
  let id = 0;
  const add = (dn: string, path: string, attributes: string): void => {
    const base = normalizedOfPath(path);
    const rules: AciRule[] = [];
    for (const value of attributesOfJson(attributes).get(ACI_KEY)?.values ?? []) {
      const parsed = typeof value === 'string' ? parseAci(value) : undefined;
      const aci = parsed !== undefined && 'aci' in parsed ? parsed.aci : REFUSING;
      for (const permission of aci.permissions) {
        rules.push({ ...aci, ...permission, id: id++, text: String(value), dn, base });
        for (const group of groupsIn(permission.bind)) groups.add(group);
      }
    }
    at.set(base, rules);
  };
  for (let after = '', rows = PAGE; rows === PAGE; ) {
    const page = yield [WITH_RULES, TENANT, after, PAGE];
    rows = page.length;
    for (const [dn, path, attributes] of page) add(dn as string, (after = path as string), attributes as string);
  }
  return { at, groups };
}

const EVERYTHING = {
  isComplement: false,
  allUser: true,
  allOperational: true,
  keys: new Set<string>(),
  patterns: [],
} as const;

const REFUSING: Aci = {
  name: 'a value that does not parse',
  target: undefined,
  isTargetComplement: false,
  scope: 'subtree',
  attributes: EVERYTHING,
  filter: undefined,
  values: undefined,
  permissions: [{ allows: false, rights: new Set(RIGHTS), bind: { kind: 'anyone' } }],
};

function groupsIn(bind: Bind): readonly string[] {
  switch (bind.kind) {
    case 'and':
    case 'or':
      return [...groupsIn(bind.left), ...groupsIn(bind.right)];
    case 'not':
      return groupsIn(bind.bind);
    case 'group':
      return [bind.dn];
    default:
      return [];
  }
}

export interface AccessState {
  readonly rules: string;
  readonly scopes: string;
}

export function* accessState(): Look<AccessState> {
  const [row] = yield [STATE];
  return { rules: row![0] as string, scopes: row![1] as string };
}

/**
 * With a random text: a change that is undone must leave none that a later one has again. The revision is for feeds. `roles`: who has
 * one, or is in a group that a rule names; the rules are those of before.
 */
export async function renewState(tx: Transaction, what: keyof AccessState | 'roles'): Promise<void> {
  const text = `${tx.revision} ${randomUUID()}`;
  if (what !== 'roles') await tx.run(`UPDATE dit_access SET ${what} = ? WHERE id = 1`, text);
  else {
    const [row] = await tx.arrays(STATE);
    await tx.run('UPDATE dit_access SET rules = ? WHERE id = 1', `${text} ${rulesPart(row![0] as string)}`);
  }
}

/** Of the state of rules: the text that it had when a rule changed last. */
export function rulesPart(rules: string): string {
  const end = rules.indexOf(' ', rules.indexOf(' ') + 1);
  return end < 0 ? rules : rules.slice(end + 1);
}

/** When a state was renewed; 0 for one that is older than all feeds. */
export function renewedAt(state: string): Revision {
  const blank = state.indexOf(' ');
  return idOf(blank < 0 ? 0 : state.slice(0, blank));
}

/** Once in the life of a directory: true the first time. */
export async function beginsWithDefaults(tx: Transaction): Promise<boolean> {
  return (await tx.run('UPDATE dit_access SET defaults = 1 WHERE id = 1 AND defaults = 0')) > 0;
}
