// All rewrite rules that hold, found by their pattern: however many there are, an address costs as many look-ups as it has
// probes (probe.ts).
//
// In      rules as text: entries, lines of the configuration
// Out     rules by pattern, in the order in which they are tried; all of them in probing order, for people
// Order   equal patterns: entries by waypostOrder, then cn; then lines of the configuration; then the built-in rule
// A rule that does not parse holds for nothing; its entry's problems say so.

import { Failure } from '../../base/failure.ts';
import { parseTemplate } from './parse-template.ts';
import { ANY, comparePatterns, INITIAL, parsePattern } from './pattern.ts';
import type { Template } from './template.ts';

export type RuleSource = 'entry' | 'file' | 'built-in';

/** A rule as it is written. */
export interface RuleText {
  /** What the routing's history calls it, `''` for one that is no entry. */
  readonly key: string;
  /** The entry's cn; the domain of a line of the configuration. */
  readonly name: string;
  readonly order: number;
  readonly pattern: string;
  readonly template: string;
}

export interface Rule {
  readonly key: string;
  readonly source: RuleSource;
  readonly name: string;
  /** Undefined where rules of the source have none. */
  readonly order: number | undefined;
  /** In the spelling of parsePattern. */
  readonly pattern: string;
  readonly template: Template;
}

/** What decides where nothing else does: to another host, by the domain's MX. */
const BUILT_IN: Rule = ruleOf({ key: '', name: 'built-in', pattern: ANY, template: '$U%$H@smtp' }, 'built-in');

/** Throws Failure('syntax') where the pattern or the template does not parse. */
export function ruleOf(text: Omit<RuleText, 'order'> & { readonly order?: number }, source: RuleSource): Rule {
  const { key, name, order } = text;
  return { key, source, name, order, pattern: parsePattern(text.pattern), template: parseTemplate(text.template) };
}

/** `[next-hop]` of the configuration: `"partner.example" = "[192.0.2.9]:2525"`. */
export function nextHopRule(domain: string, hop: string): Rule {
  return ruleOf({ key: '', name: domain, pattern: domain, template: `$U@$D@${hop}@smtp` }, 'file');
}

const NONE: readonly Rule[] = [];

export class RuleSet {
  /** Parsed where an address is looked for under their pattern: of a thousand few ever are. */
  readonly #entries: ReadonlyMap<string, readonly RuleText[]>;
  readonly #others: ReadonlyMap<string, readonly Rule[]>;
  readonly #rules = new Map<string, readonly Rule[]>();

  /** Entries with their patterns in the spelling of parsePattern; rules of the configuration, in any order. */
  constructor(entries: readonly RuleText[], others: readonly Rule[]) {
    this.#entries = Map.groupBy(entries, ({ pattern }) => pattern);
    this.#others = Map.groupBy([...others, BUILT_IN], ({ pattern }) => pattern);
  }

  /** With one rule more, which is tried before those of its pattern. */
  with(rule: Rule): RuleSet {
    const others = [...this.#others.values()].flat().filter(({ source }) => source !== 'built-in');
    return new RuleSet([...this.#entries.values()].flat(), [{ ...rule, order: -1 }, ...others]);
  }

  /** Rules of `$*`, which come before all else. */
  get initial(): readonly Rule[] {
    return this.at(INITIAL);
  }

  at(pattern: string): readonly Rule[] {
    const known = this.#rules.get(pattern);
    if (known !== undefined) return known;
    const entries = this.#entries.get(pattern);
    const others = this.#others.get(pattern);
    // Not remembered: there is no end of patterns without a rule.
    if (entries === undefined && others === undefined) return NONE;
    const rules = [...(entries ?? []).flatMap(parsed), ...(others ?? [])].sort(compareRules);
    this.#rules.set(pattern, rules);
    return rules;
  }

  /** In probing order. */
  inOrder(): Rule[] {
    const patterns = new Set([...this.#entries.keys(), ...this.#others.keys()]);
    return [...patterns].sort(comparePatterns).flatMap((pattern) => this.at(pattern));
  }
}

function parsed(text: RuleText): Rule[] {
  try {
    return [ruleOf(text, 'entry')];
  } catch (error) {
    if (error instanceof Failure) return [];
    throw error;
  }
}

const SOURCES: readonly RuleSource[] = ['entry', 'file', 'built-in'];

function compareRules(a: Rule, b: Rule): number {
  const bySource = SOURCES.indexOf(a.source) - SOURCES.indexOf(b.source);
  return bySource || (a.order ?? 0) - (b.order ?? 0) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}
