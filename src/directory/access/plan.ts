// The rules as they are for one caller: those that can never be about it are left out, so that few are asked of an entry.
//
// In      a caller; what was compiled (rules.ts)
// Out     the rules at an entry and above it, and what they need to know of it
// State   of a thread: one `Access`, whose plans and compiled rules hold until the directory says that what they are made of
//         has changed. Asked at the beginning of an operation: what an open connection may do ends with its next one
// Limits  PLANS_MAX callers, CHAINS_MAX places in the tree of each; then they are made anew

import type { Reader } from '../../database/operation.ts';
import type { Caller } from '../caller.ts';
import { normalizeDn } from '../dn.ts';
import { bindsAnywhere, type CallerFacts } from './decide.ts';
import { aboveOf, type Domains } from './domains.ts';
import { type Look, look } from './look.ts';
import { factsOf, NOBODY } from './roles.ts';
import type { AciRule, Right } from './rule.ts';
import { type AccessState, type AciRules, accessState, ruleSet } from './rules.ts';
import { type Needs, needsOf } from './target.ts';

const PLANS_MAX = 1000;
const CHAINS_MAX = 5000;

/** Rules that are asked of an entry. */
export interface Candidates {
  readonly rules: readonly AciRule[];
  readonly needs: Needs;
}

/** Those that let look, or all. */
type Purpose = 'look' | 'all';

const LOOKS: readonly Right[] = ['read', 'search', 'compare'];

export class Plan {
  readonly caller: CallerFacts;
  readonly domains: Domains;
  readonly #set: AciRules;
  readonly #chains = new Map<string, Candidates>();
  readonly #counts = new Map<AciRule, boolean>();

  constructor(set: AciRules, caller: CallerFacts, domains: Domains) {
    this.#set = set;
    this.caller = caller;
    this.domains = domains;
  }

  /** At this normalized DN and above. */
  candidates(dn: string, purpose: Purpose): Candidates {
    // Nearly all entries have no rule of their own.
    const from = this.#set.at.has(dn) ? dn : aboveOf(dn);
    const key = `${purpose} ${from}`;
    const kept = this.#chains.get(key);
    if (kept !== undefined) return kept;
    const rules: AciRule[] = [];
    for (let at = from; at !== undefined; at = aboveOf(at))
      for (const rule of this.#set.at.get(at) ?? [])
        if (this.#canCount(rule) && (purpose === 'all' || LOOKS.some((right) => rule.rights.has(right))))
          rules.push(rule);
    const made = { rules, needs: needsOf(rules) };
    if (this.#chains.size >= CHAINS_MAX) this.#chains.clear();
    this.#chains.set(key, made);
    return made;
  }

  /** Whether a rule, wherever it stands, might allow this. */
  mightAllow(right: Right): boolean {
    for (const rules of this.#set.at.values())
      for (const rule of rules) if (rule.allows && rule.rights.has(right) && this.#canCount(rule)) return true;
    return false;
  }

  #canCount(rule: AciRule): boolean {
    let counts = this.#counts.get(rule);
    if (counts === undefined) {
      counts = bindsAnywhere(rule.bind, this.caller) !== false;
      this.#counts.set(rule, counts);
    }
    return counts;
  }
}

class Access {
  #state: AccessState | undefined;
  #set: AciRules = { at: new Map(), groups: new Set() };
  readonly #domains: Domains = new Map();
  readonly #plans = new Map<string, Plan>();

  *plan(caller: Caller): Look<Plan> {
    yield* this.#refresh();
    const key = caller.kind === 'entry' ? `${caller.uuid} ${caller.dn}` : '';
    const kept = this.#plans.get(key);
    if (kept !== undefined) return kept;
    const facts = caller.kind === 'entry' ? yield* factsOf(normalizeDn(caller.dn)) : NOBODY;
    const made = new Plan(this.#set, facts, this.#domains);
    if (this.#plans.size >= PLANS_MAX) this.#plans.clear();
    this.#plans.set(key, made);
    return made;
  }

  /** Normalized DNs of groups that rules name. */
  *groups(): Look<ReadonlySet<string>> {
    yield* this.#refresh();
    return this.#set.groups;
  }

  *#refresh(): Look<void> {
    const state = yield* accessState();
    if (state.rules !== this.#state?.rules) {
      this.#plans.clear();
      this.#set = yield* ruleSet();
    }
    if (state.scopes !== this.#state?.scopes) this.#domains.clear();
    this.#state = state;
  }
}

/** One a thread: a reader is a thread's. */
const ofReaders = new WeakMap<Reader, Access>();

export function planFor(reader: Reader, caller: Caller): Plan {
  let access = ofReaders.get(reader);
  if (access === undefined) ofReaders.set(reader, (access = new Access()));
  // State and rules of one revision.
  return reader.snapshot(() => look(reader, access.plan(caller)));
}

/** The writer's: its transactions run one after another. */
export const inTransactions = new Access();
