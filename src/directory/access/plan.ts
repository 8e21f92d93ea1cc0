// The rules as they are for one caller: those that can never be about it are left out, so that few are asked of an entry.
//
// In      a caller; what was compiled (rules.ts)
// Out     the rules at an entry and above it, and what they need to know of it
// State   of a thread: one `Access`, whose plans and compiled rules hold until the directory says that what they are made of
//         has changed: no statement while no other revision is published, else one. Asked at the beginning of an operation: what an open connection may do ends with its next one
// Limits  PLANS_MAX callers, CHAINS_MAX places in the tree of each; then they are made anew

import { createHash } from 'node:crypto';
import type { Reader } from '../../database/operation.ts';
import type { Caller } from '../caller.ts';
import { normalizeDn } from '../dn.ts';
import { publishedRevision } from '../once-a-revision.ts';
import { bindsAnywhere, type CallerFacts } from './decide.ts';
import { aboveOf, type Domains } from './domains.ts';
import { type Look, look } from './look.ts';
import { factsOf, NOBODY } from './roles.ts';
import type { AciRule, Right } from './rule.ts';
import { type AccessState, type AciRules, accessState, ruleSet, rulesPart, STATE } from './rules.ts';
import { type Needs, needsOf } from './target.ts';

const PLANS_MAX = 1000;
const CHAINS_MAX = 5000;

/** Rules that are asked of an entry. */
export interface Candidates {
  readonly rules: readonly AciRule[];
  readonly needs: Needs;
  /** The entry from which on upward they stand. */
  readonly at: string | undefined;
  /** They look at nothing of an entry but its name and classes, and at what is above it: see `plain`. */
  readonly isPlain: boolean;
  /** What was decided for a plain entry here: the same for all of them. */
  plain: LookVerdict | undefined;
}

/** Those that let look, or all. */
type Purpose = 'look' | 'all';

const LOOKS: readonly Right[] = ['read', 'search', 'compare'];

/** `secret`: rules allow it, and it is for whom secrets are shown. */
export type LookAnswer = 'yes' | 'secret' | 'no';

/** What was decided for the entries to which the same rules apply: by right, by key of a type, whether or not it is a secret. */
export interface LookVerdict {
  readonly rules: readonly AciRule[];
  readonly read: Map<string, LookAnswer>;
  readonly search: Map<string, LookAnswer>;
  readonly compare: Map<string, LookAnswer>;
}

export class Plan {
  readonly caller: CallerFacts;
  readonly domains: Domains;
  readonly #set: AciRules;
  /** By the entry from which on upward rules stand. */
  readonly #chains = { look: new Map<string, Candidates>(), all: new Map<string, Candidates>() };
  readonly #counts = new Map<AciRule, boolean>();
  readonly #verdicts = new Map<string, LookVerdict>();
  #lookMark: { readonly text: string | undefined } | undefined;

  constructor(set: AciRules, caller: CallerFacts, domains: Domains) {
    this.#set = set;
    this.caller = caller;
    this.domains = domains;
  }

  /** At this normalized DN and above. */
  candidates(dn: string, purpose: Purpose): Candidates {
    // Nearly all entries have no rule of their own.
    const from = this.#set.at.has(dn) ? dn : aboveOf(dn);
    const key = from ?? '';
    const chains = this.#chains[purpose];
    const kept = chains.get(key);
    if (kept !== undefined) return kept;
    const rules: AciRule[] = [];
    for (let at = from; at !== undefined; at = aboveOf(at))
      for (const rule of this.#set.at.get(at) ?? [])
        if (this.#canCount(rule) && (purpose === 'all' || LOOKS.some((right) => rule.rights.has(right))))
          rules.push(rule);
    const needs = needsOf(rules);
    const made: Candidates = { rules, needs, at: from, isPlain: this.#isPlain(rules, needs, from), plain: undefined };
    if (chains.size >= CHAINS_MAX) chains.clear();
    chains.set(key, made);
    return made;
  }

  /**
   * Whether these say the same of each entry right below this one that is a leaf, is not the caller, and has none of the attributes
   * that a rule reads names in.
   */
  #isPlain(rules: readonly AciRule[], needs: Needs, above: string | undefined): boolean {
    if (above === undefined || above === this.caller.dn || needs.looksBeside) return false;
    if (needs.attributes.some(({ levels }) => levels.some((level) => level > 0))) return false;
    return rules.every(({ target, filter }) => target === undefined && filter === undefined);
  }

  /** Of rules that apply to an entry. */
  verdict(rules: readonly AciRule[]): LookVerdict {
    const ids =
      rules.length === 0 ? '' : rules.length === 1 ? String(rules[0]!.id) : rules.map(({ id }) => id).join(' ');
    let verdict = this.#verdicts.get(ids);
    if (verdict !== undefined) return verdict;
    if (this.#verdicts.size >= CHAINS_MAX) this.#verdicts.clear();
    verdict = { rules: [...rules], read: new Map(), search: new Map(), compare: new Map() };
    this.#verdicts.set(ids, verdict);
    return verdict;
  }

  /**
   * What this caller may look at rests on this text and on the entries themselves, one by one: equal for two plans of a caller
   * by which it sees the same. Undefined where it rests on other entries too: on one above, on groups that an attribute names.
   */
  get lookMark(): string | undefined {
    this.#lookMark ??= { text: this.#makeLookMark() };
    return this.#lookMark.text;
  }

  #makeLookMark(): string | undefined {
    const parts: string[] = [];
    let asksEntries = false;
    for (const [base, rules] of this.#set.at)
      for (const rule of rules) {
        if (!this.#canCount(rule) || !LOOKS.some((right) => rule.rights.has(right))) continue;
        const { attributes, looksBeside, asksRoles } = needsOf([rule]);
        const restsOnOthers = attributes.some(
          ({ names, levels }) => names === 'group' || levels.some((level) => level > 0),
        );
        if (restsOnOthers || looksBeside || asksRoles) return undefined;
        const binds = bindsAnywhere(rule.bind, this.caller);
        asksEntries ||= binds === undefined;
        parts.push(`${base}\n${rule.text}\n${rule.allows} ${binds}`);
      }
    if (asksEntries) parts.push(this.caller.dn ?? '', ...[...this.caller.groups].sort());
    return createHash('sha256').update(parts.join('\n\n')).digest('base64');
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

function keyOfCaller(caller: Caller): string {
  return caller.kind === 'entry' ? `${caller.uuid} ${caller.dn}` : '';
}

class Access {
  #state: AccessState | undefined;
  #set: AciRules = { at: new Map(), groups: new Set() };
  readonly #domains: Domains = new Map();
  readonly #plans = new Map<string, Plan>();

  /** The published revision of which plans are known to be. */
  seen: number | undefined;

  kept(caller: Caller): Plan | undefined {
    return this.#plans.get(keyOfCaller(caller));
  }

  /** The plan that was made before, where the directory's state is still the one that it was made in. */
  known(caller: Caller, rules: string, scopes: string): Plan | undefined {
    const isSame = this.#state?.rules === rules && this.#state.scopes === scopes;
    return isSame ? this.#plans.get(keyOfCaller(caller)) : undefined;
  }

  *plan(caller: Caller): Look<Plan> {
    yield* this.#refresh();
    const key = keyOfCaller(caller);
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
      // Who gives and takes a role, again and again, has not thousands of rules compiled.
      if (this.#state === undefined || rulesPart(state.rules) !== rulesPart(this.#state.rules))
        this.#set = yield* ruleSet();
    }
    if (state.scopes !== this.#state?.scopes) {
      this.#domains.clear();
      // What was decided for plain entries rests on where domains are.
      this.#plans.clear();
    }
    this.#state = state;
  }
}

/** One a thread: a reader is a thread's. */
const ofReaders = new WeakMap<Reader, Access>();

function accessOf(reader: Reader): Access {
  let access = ofReaders.get(reader);
  if (access === undefined) ofReaders.set(reader, (access = new Access()));
  return access;
}

export function planFor(reader: Reader, caller: Caller): Plan {
  const access = accessOf(reader);
  // Where nothing has changed one statement says so; else state and rules are read at one revision.
  const now = publishedRevision(reader);
  const unchanged = now !== undefined && now === access.seen ? access.kept(caller) : undefined;
  if (unchanged !== undefined) return unchanged;
  const [row] = reader.arrays(STATE);
  const known = access.known(caller, row![0] as string, row![1] as string);
  const plan = known ?? reader.snapshot(() => look(reader, access.plan(caller)));
  // The connection may be in a snapshot that is older, or read what is not published yet: then it is asked again.
  access.seen = now !== undefined && (reader.revision() | 0) === now ? now : undefined;
  return plan;
}

/** Normalized DNs of groups that rules name. */
export function groupsOfRules(reader: Reader): ReadonlySet<string> {
  return reader.snapshot(() => look(reader, accessOf(reader).groups()));
}

/** The writer's: its transactions run one after another. */
export const inTransactions = new Access();
