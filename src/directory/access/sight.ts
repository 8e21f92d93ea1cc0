// What a caller may see: which entries, which attributes of them, and which attributes a filter may ask for.
//
// In      a caller and its connection, at the beginning of an operation; then entries
// Out     the entry as it is shown, undefined where no attribute of it can be read: it does not exist for this caller
// Secrets passwords go to the Directory Manager, keys of the server to none; both to servers over a private connection. No
//         rule gives them

import type { Reader, Transaction } from '../../database/operation.ts';
import type { Caller } from '../caller.ts';
import { suffixDn } from '../dn.ts';
import type { Attribute, Entry } from '../entry.ts';
import { schema, typeKeyOf } from '../schema.ts';
import { withoutHidden } from '../secrets.ts';
import { mayDoAll, planIn } from './check-change.ts';
import { applicable, type CallerFacts, judgeRules } from './decide.ts';
import { look, lookIn } from './look.ts';
import { type Candidates, type LookVerdict, planFor } from './plan.ts';
import type { AciRule, Right } from './rule.ts';
import { isPlain, targetOf } from './target.ts';

export interface Sight {
  /** Undefined for who sees all. */
  readonly caller: CallerFacts | undefined;
  /** What a filter is asked of. */
  bare(entry: Entry): Entry;
  /** Undefined: a filter may ask for all. `key` is a type's. */
  readonly maySearch: ((entry: Entry, key: string) => boolean) | undefined;
  mayCompare(entry: Entry, key: string): boolean;
  mayRead(entry: Entry, key: string): boolean;
  shown(entry: Entry): Entry | undefined;
}

/** The administrator and the server. */
const WHOLE: Sight = {
  caller: undefined,
  bare: withoutHidden,
  maySearch: undefined,
  mayCompare: () => true,
  mayRead: () => true,
  shown: withoutHidden,
};

/** `isPrivate`: nobody can listen. */
export function sightOf(reader: Reader, caller: Caller, isPrivate: boolean): Sight {
  if (caller.kind === 'administrator' || caller.kind === 'server') return WHOLE;
  const plan = planFor(reader, caller);
  const { caller: facts, domains } = plan;
  const rulesOf = (entry: Entry, { rules, needs }: Candidates): readonly AciRule[] =>
    rules.length === 0
      ? rules
      : applicable(rules, facts, look(reader, targetOf({ entry, needs, caller: facts, domains })));
  const verdictOf = (entry: Entry): LookVerdict => {
    const candidates = plan.candidates(entry.normalizedDn, 'look');
    const isPlainHere =
      candidates.isPlain &&
      candidates.at !== entry.normalizedDn &&
      entry.normalizedDn !== facts.dn &&
      isPlain(entry, candidates.needs);
    if (!isPlainHere) return plan.verdict(rulesOf(entry, candidates));
    candidates.plain ??= plan.verdict(rulesOf(entry, candidates));
    return candidates.plain;
  };
  return new RuledSight(facts, isPrivate && facts.isServer, verdictOf);
}

/** Of this entry alone, as a transaction has it, with its members or without. Secrets are not seen. */
export async function sightIn(tx: Transaction, caller: Caller, entry: Entry): Promise<Sight> {
  if (mayDoAll(caller)) return WHOLE;
  const plan = await planIn(tx, caller);
  const { caller: facts, domains } = plan;
  const { rules, needs } = plan.candidates(entry.normalizedDn, 'look');
  const target = await lookIn(tx, targetOf({ entry, needs, caller: facts, domains }));
  const apply = applicable(rules, facts, target);
  const verdict = plan.verdict(apply);
  return new RuledSight(plan.caller, false, () => verdict);
}

type Looking = Extract<Right, 'read' | 'search' | 'compare'>;

class RuledSight implements Sight {
  readonly caller: CallerFacts;
  readonly #getsSecrets: boolean;
  readonly #verdictOfEntry: (entry: Entry) => LookVerdict;
  /** The entry that was asked about last: nearly always the next question is about it too. */
  #last: Entry | undefined;
  #verdict: LookVerdict | undefined;
  /** Of entries as they are shown, from which an attribute is taken that rules may ask for. */
  #shown: WeakMap<Entry, LookVerdict> | undefined;

  constructor(caller: CallerFacts, getsSecrets: boolean, verdictOf: (entry: Entry) => LookVerdict) {
    this.caller = caller;
    this.#getsSecrets = getsSecrets;
    this.#verdictOfEntry = verdictOf;
  }

  bare(entry: Entry): Entry {
    return entry;
  }

  readonly maySearch = (entry: Entry, key: string): boolean => this.#may(entry, 'search', key);

  mayCompare(entry: Entry, key: string): boolean {
    return this.#may(entry, 'compare', key);
  }

  mayRead(entry: Entry, key: string): boolean {
    return this.#may(entry, 'read', key);
  }

  shown(entry: Entry): Entry | undefined {
    let withheld = 0;
    for (const key of entry.attributes.keys()) if (!this.mayRead(entry, typeKeyOf(key))) withheld++;
    const { memberCounts } = entry;
    if (memberCounts !== undefined) for (const key of memberCounts.keys()) if (!this.mayRead(entry, key)) withheld++;
    const all = entry.attributes.size + (memberCounts?.size ?? 0);
    if (withheld === all) return undefined;
    if (withheld === 0) return entry;
    const attributes = new Map<string, Attribute>();
    for (const [key, attribute] of entry.attributes)
      if (this.mayRead(entry, typeKeyOf(key))) attributes.set(key, attribute);
    const counts = new Map([...(memberCounts ?? [])].filter(([key]) => this.mayRead(entry, key)));
    const { memberCounts: _, ...rest } = entry;
    const shown = counts.size === 0 ? { ...rest, attributes } : { ...rest, attributes, memberCounts: counts };
    this.#shown ??= new WeakMap();
    this.#shown.set(shown, this.#verdictOf(entry));
    return shown;
  }

  #may(entry: Entry, right: Looking, key: string): boolean {
    if (this.#getsSecrets && !isInFirstSuffix(entry)) return true;
    const verdict = this.#verdictOf(entry);
    let may = verdict[right].get(key);
    if (may === undefined) {
      const isSecret = schema().attributeType(key)?.isSecret === true;
      const { allowed } = judgeRules(verdict.rules, NO_VALUES, { right, attribute: key });
      may = !allowed ? 'no' : isSecret ? 'secret' : 'yes';
      verdict[right].set(key, may);
    }
    return may === 'yes' || (may === 'secret' && this.#getsSecrets);
  }

  #verdictOf(entry: Entry): LookVerdict {
    if (entry === this.#last) return this.#verdict!;
    this.#verdict = this.#shown?.get(entry) ?? this.#verdictOfEntry(entry);
    this.#last = entry;
    return this.#verdict;
  }
}

/** Where the rules stand. A server has the whole directory: the other suffixes and the administrator's entry too. */
function isInFirstSuffix({ normalizedDn }: Entry): boolean {
  return normalizedDn === suffixDn().normalized || normalizedDn.endsWith(`,${suffixDn().normalized}`);
}

/** Of what the entry has as attributes `shown` has decided; of what the server makes, this does. */
export function mayReadAttribute(sight: Sight, entry: Entry, { name }: Attribute): boolean {
  if (sight.caller === undefined) return true;
  const key = schema().description(name)?.type.key;
  return key !== undefined && sight.mayRead(entry, key);
}

/** Only a write has values. */
const NO_VALUES = { entry: undefined as never, isOwn: () => false };
