// What a resolution is told and what it says: the tables, the answer with its steps, and the question where rows are missing.
//
// In      rows as the tables have them; `null` is no row, `undefined` a row that is not loaded
// Out     types alone: resolve.ts makes the answers

import type { Reply } from '../base/reply.ts';
import type { AuthorityQuestion } from '../directory/source/authority.ts';
import type { Address } from '../message/address.ts';
import type { Here } from './here.ts';
import type { ListQuestion, ListTables } from './list-tables.ts';
import type { Rule } from './rewrite/rule-set.ts';
import type { RecipientRow, RouteRow } from './rows.ts';
import type { RoutingSettings } from './settings.ts';
import type { Target } from './targets.ts';
import type { Tokens } from './tokens.ts';

/** Whose mail this is, and where. */
export interface Site extends Here {
  /** The directory that addresses are resolved in. */
  readonly tenant: number;
  /** `[dns] mode`; absent: embedded. */
  readonly dnsMode?: 'embedded' | 'none';
  /** `[provision] from-mx`; absent: `entries`. */
  readonly fromMx?: 'off' | 'entries' | 'auto';
  /** Rewrite rules of the configuration. */
  readonly fileRules?: readonly Rule[];
  /** Addresses that it has signed. Absent: it knows none. */
  readonly tokens?: Tokens;
}

/** The tables as far as the caller has loaded them. `null`: the table has no such row. `undefined`: not loaded. */
export interface RoutingTables extends ListTables {
  route(domain: string): RouteRow | null | undefined;
  /** By addressKey, or SITE_POSTMASTER. */
  alias(key: string): RecipientRow | null | undefined;
  /** By normalized DN. */
  recipient(dn: string): RecipientRow | null | undefined;
  /** Rules, channels, hosts, policies. */
  settings(): RoutingSettings | undefined;
}

export type StepName =
  | 'arrival'
  | 'address'
  | 'routing table'
  | 'domain alias'
  | 'source'
  | 'rewrite rule'
  | 'alias table'
  | 'subaddress'
  | 'signed address'
  | 'postmaster'
  | 'catch-all'
  | 'smart host'
  | 'status'
  | 'hold'
  | 'size'
  | 'mail host'
  | 'not supported'
  | 'access rule'
  | 'group'
  | 'member'
  | 'loop'
  | 'delivery option'
  | 'channel'
  | 'reply';

export interface Step {
  readonly step: StepName;
  readonly detail: string;
  /** Of what is said about a list's member: the lists above it. */
  readonly depth?: number;
}

/** A pattern that an address was looked for under. */
export interface ProbeNote {
  readonly pattern: string;
  /** The rule's name; null: there is none. */
  readonly rule: string | null;
  /** Why it fails, or what comes of it. */
  readonly why: string;
}

/** A list's member that gets nothing now, while others may. */
export interface FailedMember {
  readonly recipient: Address;
  readonly reply: Reply;
  /** Its entry's id, where it has one. */
  readonly entry?: number;
}

/** What a resolution went by, as an authority is asked for it. */
export interface Consulted {
  readonly question: AuthorityQuestion;
  /** An entry was found, and does not refuse for good. */
  isKnown: boolean;
}

export interface Resolution {
  readonly address: Address;
  /** Empty unless asked to explain. */
  readonly steps: readonly Step[];
  /** Unique by key. Empty unless the reply is 2xx. */
  readonly targets: readonly Target[];
  readonly reply: Reply;
  /** The domain that it leads to by rewrite rules, as a rule its own, is foreign. */
  readonly relay: boolean;
  /** Its own domain is foreign, and no rule but the built-in one holds for it. */
  readonly isDefaultRoute?: boolean;
  /** It leads through members of a list: one of them says nothing of the others. */
  readonly isOfList?: boolean;
  /** A list was met that has had the message: who is in it has been served. */
  readonly hasPassed?: true;
  /** What rewrite rules have made of it. */
  readonly rewritten: Address;
  /** Empty unless asked to explain. */
  readonly probes: readonly ProbeNote[];
  /**
   * Members of an accepted list that cannot be reached now. For a temporary one a queue row is made that resolves
   * its recipient again later; for a permanent one a report to the sender.
   */
  readonly failures: readonly FailedMember[];
  /** Where `isUnsure` was given. */
  readonly consulted?: readonly Consulted[];
}

/** Rows that are not loaded. Load them all, then resolve again. */
export interface Ask {
  readonly domains: readonly string[];
  readonly addresses: readonly string[];
  readonly dns: readonly string[];
  readonly settings: boolean;
  readonly lists: readonly ListQuestion[];
}

export type ResolveAnswer = { readonly resolution: Resolution } | { readonly ask: Ask };

export interface ResolveOptions {
  /** Keep the steps. */
  readonly explain?: boolean;
  /** Enough to answer RCPT: a list is left at its first target, so `targets` of a list is not complete. */
  readonly verify?: boolean;
  /** As if there were this rewrite rule, too. */
  readonly rule?: Rule | undefined;
  /** A domain that who asks may not look into: what lies behind an address there is not followed. */
  readonly isClosed?: (domain: string) => boolean;
  /**
   * Another may have the say about what was asked: then what is not known, or refused for good, gets the reply that this gives,
   * and its own where it gives none. `route`: of the domain, null where it is none of ours or a list's member is meant by its DN.
   */
  readonly isUnsure?: (question: AuthorityQuestion, route: RouteRow | null) => Reply | undefined;
  /** Give up when this many rows are missing. Default: find all that are missing at this depth. */
  readonly askMax?: number;
}
