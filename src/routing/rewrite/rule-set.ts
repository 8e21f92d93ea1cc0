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
  readonly #rules: ReadonlyMap<string, readonly Rule[]>;

  /** Rules of one source stand together, in any order. */
  constructor(rules: readonly Rule[]) {
    const all = new Map<string, Rule[]>();
    for (const rule of [...rules, BUILT_IN]) {
      const same = all.get(rule.pattern);
      if (same === undefined) all.set(rule.pattern, [rule]);
      else same.push(rule);
    }
    for (const same of all.values()) same.sort(compareRules);
    this.#rules = all;
  }

  /** Entries that parse, and rules of the configuration. */
  static of(entries: readonly RuleText[], file: readonly Rule[]): RuleSet {
    return new RuleSet([...entries.flatMap(parsed), ...file]);
  }

  /** With one rule more, which is tried before those of its pattern. */
  with(rule: Rule): RuleSet {
    return new RuleSet([{ ...rule, order: -1 }, ...this.inOrder().filter(({ source }) => source !== 'built-in')]);
  }

  /** Rules of `$*`, which come before all else. */
  get initial(): readonly Rule[] {
    return this.at(INITIAL);
  }

  /** Nothing but the built-in rule. */
  get isEmpty(): boolean {
    return this.#rules.size === 1 && this.at(ANY).length === 1;
  }

  at(pattern: string): readonly Rule[] {
    return this.#rules.get(pattern) ?? NONE;
  }

  /** In probing order. */
  inOrder(): Rule[] {
    const patterns = [...this.#rules.keys()].sort(comparePatterns);
    return patterns.flatMap((pattern) => this.at(pattern));
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
