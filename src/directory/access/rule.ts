// What a value of `aci` says, as decide.ts works with it: what it is about, which rights it gives or refuses, and whom.
//
// Data only. parse.ts makes it of text; rules.ts knows the entry at which it stands.

import type { AttributeValue, Entry } from '../entry.ts';
import type { Match, Matcher } from '../match.ts';

/** The rights of which `all` is all but the last. */
export const RIGHTS = ['read', 'search', 'compare', 'write', 'selfwrite', 'add', 'delete', 'proxy'] as const;
export type Right = (typeof RIGHTS)[number];

/** Roles that this program knows by the words of `roledn`. */
export const ROLES = ['site administrator', 'domain administrator', 'server'] as const;
export type Role = (typeof ROLES)[number];
/** Of nsRole, whose values are `cn=ROLE` in a targetfilter. */
export const ROLES_KEY = 'nsrole';

/** What stands between the stars of a normalized DN; without a star one text. */
export type NamePattern = readonly string[];

export type Scope = 'base' | 'onelevel' | 'subtree' | 'subordinate';

export interface AttributeSet {
  /** `!=`: all user attributes but these. */
  readonly isComplement: boolean;
  /** `*`: all user attributes. */
  readonly allUser: boolean;
  /** `+`: all operational ones. */
  readonly allOperational: boolean;
  /** Type keys. */
  readonly keys: ReadonlySet<string>;
  /** Type keys with stars. */
  readonly patterns: readonly NamePattern[];
}

/** Asked of an entry that has one value alone. `isOwn`: a value names nothing outside the domain of the entry. */
export type ValueFilter = (value: Entry, isOwn: (value: AttributeValue) => boolean) => Match;

export interface EntryFilter {
  readonly isComplement: boolean;
  readonly matches: Matcher;
  /** It asks for members, which are rows of their own, or for children. */
  readonly looksBeside: boolean;
  /** It asks for nsRole, which the roles of the entry are the values of. */
  readonly asksRoles: boolean;
}

export type Bind =
  | { readonly kind: 'and' | 'or'; readonly left: Bind; readonly right: Bind }
  | { readonly kind: 'not'; readonly bind: Bind }
  /** Anonymous callers too; those who are known; the entry itself; the one above it. */
  | { readonly kind: 'anyone' | 'all' | 'self' | 'parent' }
  | { readonly kind: 'user'; readonly name: NamePattern }
  /** A normalized DN. */
  | { readonly kind: 'group'; readonly dn: string }
  | { readonly kind: 'role'; readonly role: Role }
  /** The attribute, of the entry or of one above it, names the caller or a group of its. */
  | {
      readonly kind: 'attribute';
      readonly attribute: string;
      readonly names: 'user' | 'group';
      /** 0 is the entry, 1 its superior, ... */
      readonly levels: readonly number[];
    };

export interface Permission {
  readonly allows: boolean;
  readonly rights: ReadonlySet<Right>;
  readonly bind: Bind;
}

export interface ValueFilters {
  /** Attributes of which one asks whether a value is the domain's own. */
  readonly own: ReadonlySet<string>;
  readonly add: ReadonlyMap<string, ValueFilter>;
  readonly delete: ReadonlyMap<string, ValueFilter>;
}

export interface Aci {
  /** As the value calls itself. */
  readonly name: string;
  readonly target: NamePattern | undefined;
  /** `target !=` */
  readonly isTargetComplement: boolean;
  readonly scope: Scope;
  /** Undefined: the entry alone, or what `values` names. */
  readonly attributes: AttributeSet | undefined;
  readonly filter: EntryFilter | undefined;
  /** Filters of values that come and of values that go, by type key. */
  readonly values: ValueFilters | undefined;
  readonly permissions: readonly Permission[];
}

/** One permission of a value, where the value stands. */
export interface AciRule extends Omit<Aci, 'permissions'>, Permission {
  /** Its number among all. */
  readonly id: number;
  /** The value that it is of, as it is written. */
  readonly text: string;
  /** Of the entry that has it, as it is written and normalized. */
  readonly dn: string;
  readonly base: string;
}
