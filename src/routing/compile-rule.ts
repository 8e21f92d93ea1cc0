// A rewrite rule: an entry right below `ou=Rules`. A pattern over the domain of an address, and a template of what becomes of
// it (rewrite/).
//
// In      an entry
// Out     its row. A pattern or template that does not parse is a problem, and the rule holds for nothing

import { asciiLower } from '../base/characters.ts';
import { Failure } from '../base/failure.ts';
import { type Entry, hasClass, textValue } from '../directory/entry.ts';
import { isIn } from './containers.ts';
import { parseTemplate } from './rewrite/parse-template.ts';
import { parsePattern } from './rewrite/pattern.ts';
import type { TemplateChannel } from './rewrite/template.ts';
import type { Problem } from './rows.ts';

/** Of all rules that are entries. */
export const RULES_MAX = 1000;
const ORDER_MAX = 9999;
const ORDER_DEFAULT = 100;
/** The reason of a problem. */
export const MISSING = 'is missing';

export interface RuleRow {
  readonly kind: 'rule';
  /** Normalized DN. */
  readonly key: string;
  readonly dn: string;
  /** Its cn. */
  readonly name: string;
  readonly order: number;
  /** In the spelling of parsePattern, if it parses. */
  readonly pattern: string;
  /** As the entry writes it. */
  readonly template: string;
  readonly isEnabled: boolean;
  readonly problems?: readonly Problem[];
}

export function isRule(entry: Entry): boolean {
  return hasClass(entry, 'waypostrewriterule');
}

export function compileRule(entry: Entry): RuleRow | undefined {
  if (!isRule(entry) || !isIn('rules', entry)) return undefined;
  const written = textValue(entry, 'waypostpattern') ?? '';
  const problems = ruleProblems(entry);
  return {
    kind: 'rule',
    key: entry.normalizedDn,
    dn: entry.dn,
    name: textValue(entry, 'cn') ?? '',
    order: orderOf(entry) ?? ORDER_DEFAULT,
    pattern: problems.length === 0 ? parsePattern(written) : written,
    template: textValue(entry, 'wayposttemplate') ?? '',
    isEnabled: problems.length === 0 && asciiLower(textValue(entry, 'waypostenabled') ?? '') !== 'false',
    ...(problems.length === 0 ? {} : { problems }),
  };
}

/** What of a rule cannot be used. */
export function ruleProblems(entry: Entry): Problem[] {
  const problems: Problem[] = [];
  const add = (attribute: string, value: string, reason: string | undefined): void => {
    if (reason !== undefined) problems.push({ attribute, value: value.slice(0, 100), reason });
  };
  const pattern = textValue(entry, 'waypostpattern');
  const template = textValue(entry, 'wayposttemplate');
  add('waypostPattern', pattern ?? '', pattern === undefined ? MISSING : refusalOf(parsePattern, pattern));
  add('waypostTemplate', template ?? '', template === undefined ? MISSING : refusalOf(parseTemplate, template));
  const order = textValue(entry, 'waypostorder');
  if (order !== undefined && orderOf(entry) === undefined)
    add('waypostOrder', order, `is no number from 0 to ${ORDER_MAX}`);
  return problems;
}

function refusalOf(parse: (text: string) => unknown, text: string): string | undefined {
  try {
    parse(text);
    return undefined;
  } catch (error) {
    if (error instanceof Failure) return error.message;
    throw error;
  }
}

function orderOf(entry: Entry): number | undefined {
  const order = Number(textValue(entry, 'waypostorder') ?? ORDER_DEFAULT);
  return Number.isInteger(order) && order >= 0 && order <= ORDER_MAX ? order : undefined;
}

/** Of a template's channel that is none. */
export function noChannelText({ name, column }: Pick<TemplateChannel, 'name' | 'column'>): string {
  return `column ${column}: no channel "${name}"`;
}
