// An entry of the directory as values: what every unit above the tables passes around. RFC 4512 §2.

import type { Revision } from '../base/ids.ts';
import type { AttributeValue } from '../wire/ldap/values.ts';

export type { AttributeValue } from '../wire/ldap/values.ts';

export interface Attribute {
  /** The published spelling, whatever the client wrote. */
  readonly name: string;
  readonly values: readonly AttributeValue[];
}

/** By published name in lower case. A Map, so that `__proto__` is a name like any other. */
export type Attributes = ReadonlyMap<string, Attribute>;

/** How many values, and their characters all together. */
export interface ValueCount {
  readonly count: number;
  readonly length: number;
}

export type MemberCounts = ReadonlyMap<string, ValueCount>;

export interface Entry {
  readonly id: number;
  /** Undefined for an entry without a superior in this server: the suffix, the administrator. */
  readonly parent: number | undefined;
  /** RFC 4514: types by their published names, values in the case they were given in, superiors as their entries write them. */
  readonly dn: string;
  /** Normalized: attribute names lower case, values prepared for matching. Equal exactly when the DNs are equal. */
  readonly normalizedDn: string;
  readonly uuid: string;
  /** The directory revision of the last change. */
  readonly revision: Revision;
  /** User attributes. entryUUID, timestamps and the like are made from the fields beside. */
  readonly attributes: Attributes;
  /**
   * The attributes whose values are rows of their own, by key, each with one value at least: `attributes` has them only where
   * somebody has read them (member-values.ts). Absent where there are none.
   */
  readonly memberCounts?: MemberCounts;
  readonly createdAt: number;
  readonly modifiedAt: number;
  /** DNs of the callers; absent where no caller asked for it. */
  readonly createdBy?: string;
  readonly modifiedBy?: string;
  /** Made by this server on the way to another entry, and by no request of its own. */
  readonly generated?: boolean;
  /** It is another server's, mirrored here from the source of this name. */
  readonly source?: string;
  /** Its change sequence number there. */
  readonly csn?: string;
  /** What mail sees in it, if not what it is: mail-view.ts. */
  readonly mailAs?: string;
}

export interface Modification {
  /** `increment` adds its one value to each integer that is there. RFC 4525 */
  readonly operation: 'add' | 'delete' | 'replace' | 'increment';
  readonly attribute: string;
  readonly values: readonly AttributeValue[];
}

/** One change as a door asks for it. DNs and attribute names as the client wrote them. */
export type DirectoryChange =
  | { readonly kind: 'add'; readonly dn: string; readonly attributes: readonly Attribute[] }
  | { readonly kind: 'modify'; readonly dn: string; readonly modifications: readonly Modification[] }
  | {
      readonly kind: 'rename';
      readonly dn: string;
      readonly newRdn: string;
      readonly deleteOldRdn: boolean;
      readonly newSuperior: string | undefined;
    }
  | { readonly kind: 'delete'; readonly dn: string };

/** One change as it was made, for the units that follow from it. `before` is undefined for an add, `after` for a delete. */
export interface ChangedEntry {
  readonly kind: DirectoryChange['kind'];
  readonly revision: Revision;
  readonly before: Entry | undefined;
  readonly after: Entry | undefined;
  /** Members came or went, which the two entries do not show. */
  readonly movesMembers: boolean;
  /** Entries below that a rename has taken along, superiors first. */
  readonly below?: readonly ChangedEntry[];
}

/** How many values are rows of their own, in all attributes. */
export function memberTotal({ memberCounts }: Pick<Entry, 'memberCounts'>): number {
  return [...(memberCounts?.values() ?? [])].reduce((sum, { count }) => sum + count, 0);
}

/** The text values of an attribute, empty when it is absent. `name` in lower case. */
export function textValues(entry: Pick<Entry, 'attributes'>, name: string): readonly string[] {
  const values = entry.attributes.get(name)?.values ?? NO_VALUES;
  return values.every(isText) ? values : values.filter(isText);
}

const NO_VALUES: readonly AttributeValue[] = [];

function isText(value: AttributeValue): value is string {
  return typeof value === 'string';
}

/** The first text value. `name` in lower case. */
export function textValue(entry: Pick<Entry, 'attributes'>, name: string): string | undefined {
  return entry.attributes.get(name)?.values.find(isText);
}

/** `objectClass` holds this class, in any case. `name` in lower case. */
export function hasClass(entry: Pick<Entry, 'attributes'>, name: string): boolean {
  // Asked of each entry by each kind of row that it could make: nearly all are told apart by their length.
  for (const value of entry.attributes.get('objectclass')?.values ?? NO_VALUES)
    if (value.length === name.length && typeof value === 'string' && value.toLowerCase() === name) return true;
  return false;
}
