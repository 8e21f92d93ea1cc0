// Which names the mail domains give to DNS: told by who changes a domain entry, read for each answer.
//
// In      a domain entry's name before and after a change, in the transaction of that change
// Out     what records.ts asks of a name
// Never   knows a domain's status (records.ts says why)

import { asciiLower } from '../base/characters.ts';
import { SyntaxFailure } from '../base/cursor.ts';
import type { Reader, Transaction } from '../database/operation.ts';
import type { RecordType } from '../wire/dns/codes.ts';
import { parentName, parseName, ROOT } from '../wire/dns/name.ts';
import { lookUp, type NameSource, type NameState, type ZoneAnswer, type ZoneHost } from './records.ts';

export interface DomainChange {
  /** The mail domain that the entry was before, undefined when it was none. */
  readonly before: string | undefined;
  /** The mail domain that it is now, undefined when it is none or is gone. */
  readonly after: string | undefined;
  /** The directory revision of the change. */
  readonly revision: number;
}

/**
 * Takes note that a domain entry came, went or got another name. To be called for each change of a domain entry, in its
 * transaction; a change that leaves the name as it is changes no zone. Repeating it does nothing. A domain that DNS has
 * no name for (a label over 63 octets) is left out.
 */
export async function noteDomainChange(tx: Transaction, change: DomainChange): Promise<void> {
  const before = dnsName(change.before);
  const after = dnsName(change.after);
  if (before === after) return;
  if (before !== undefined) await remove(tx, before, change.revision);
  if (after !== undefined) await add(tx, after, change.revision);
}

function dnsName(domain: string | undefined): string | undefined {
  if (domain === undefined) return undefined;
  try {
    const name = parseName(asciiLower(domain));
    return name === ROOT ? undefined : name;
  } catch (error) {
    if (error instanceof SyntaxFailure) return undefined;
    throw error;
  }
}

async function add(tx: Transaction, name: string, revision: number): Promise<void> {
  const added = await tx.run(
    `INSERT INTO zone_name (name, domain, below, changed, changed_below) VALUES (?, 1, 0, ?, 0)
     ON CONFLICT (name) DO UPDATE SET domain = 1, changed = excluded.changed WHERE domain = 0`,
    name,
    revision,
  );
  if (added === 0) return;
  for (const above of namesAbove(name)) {
    await tx.run(
      `INSERT INTO zone_name (name, domain, below, changed, changed_below) VALUES (?, 0, 1, 0, ?)
       ON CONFLICT (name) DO UPDATE SET below = below + 1, changed_below = excluded.changed_below`,
      above,
      revision,
    );
  }
}

async function remove(tx: Transaction, name: string, revision: number): Promise<void> {
  const removed = await tx.run(
    'UPDATE zone_name SET domain = 0, changed = ? WHERE name = ? AND domain = 1',
    revision,
    name,
  );
  if (removed === 0) return;
  for (const above of namesAbove(name)) {
    await tx.run('UPDATE zone_name SET below = below - 1, changed_below = ? WHERE name = ?', revision, above);
  }
}

/** From the parent up, without the root. */
function namesAbove(name: string): string[] {
  const names: string[] = [];
  for (let above = parentName(name); above !== undefined && above !== ROOT; above = parentName(above)) {
    names.push(above);
  }
  return names;
}

/** The names as they stand now; several of one answer are read in one `reader.snapshot`. */
export function zoneNames(reader: Reader): NameSource {
  return {
    find(name) {
      const [row] = reader.arrays('SELECT domain, below, changed, changed_below FROM zone_name WHERE name = ?', name);
      if (row === undefined) return undefined;
      const [domain, below, changedAt, changedBelowAt] = row as [number, number, number, number];
      return { isDomain: domain === 1, hasBelow: below > 0, changedAt, changedBelowAt };
    },
  };
}

/** `lookUp` over the database: all that one answer reads is of one state. Throws the reader's failures. */
export function zoneLookUp(reader: Reader, host: ZoneHost): (name: string, type: RecordType) => ZoneAnswer {
  const names = zoneNames(reader);
  return (name, type) => reader.snapshot(() => lookUp(name, type, readOnce(names), host));
}

/** The walks of one answer meet the same names; each costs a statement once. */
function readOnce(names: NameSource): NameSource {
  const known = new Map<string, NameState | undefined>();
  return {
    find(name) {
      if (known.has(name)) return known.get(name);
      const state = names.find(name);
      known.set(name, state);
      return state;
    },
  };
}
