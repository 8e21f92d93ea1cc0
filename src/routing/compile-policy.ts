// A policy of domains that messages bring: an entry right below `ou=Policies`. For which names it holds, and what is done then.
//
// In      an entry
// Out     its row; the token itself stays in the entry. What cannot be used is a problem, and the policy holds for nothing
// Limits  POLICIES_MAX of them, PATTERNS_MAX patterns each

import { asciiLower } from '../base/characters.ts';
import { type Entry, hasClass, textValue, textValues } from '../directory/entry.ts';
import { normalizeDomain } from '../message/address.ts';
import { newDomainProblems } from './compile.ts';
import { isIn } from './containers.ts';
import type { Problem } from './rows.ts';

/** Of all policies that are entries. */
export const POLICIES_MAX = 1000;
const PATTERNS_MAX = 1000;
const ORDER_MAX = 9999;
const ORDER_DEFAULT = 100;

const ACTIONS = ['off', 'propose', 'approve', 'auto'] as const;
export type PolicyAction = (typeof ACTIONS)[number];

export interface PolicyRow {
  readonly kind: 'policy';
  /** Normalized DN. */
  readonly key: string;
  readonly dn: string;
  /** Its cn. */
  readonly name: string;
  readonly order: number;
  /** `a.example`, `*.a.example` for what lies below it, `*`; empty: any name. A-labels, lower case. */
  readonly domains: readonly string[];
  /** The nearest domain above is ours and active. */
  readonly isParentOurs?: true;
  /** A record says that who has the name knows the policy's token. */
  readonly hasToken?: true;
  readonly action: PolicyAction;
  /** A name of a wildcard may come, too. */
  readonly allowsWildcard?: true;
  /** Messages for a name that waits for approval are kept. */
  readonly hasCustody?: true;
  readonly problems?: readonly Problem[];
}

/** The last one where `[provision] from-mx` is `auto`. */
export const BUILT_IN_POLICY: PolicyRow = {
  kind: 'policy',
  key: '',
  dn: '',
  name: 'built-in',
  order: ORDER_MAX + 1,
  domains: [],
  isParentOurs: true,
  action: 'auto',
};

export function compilePolicy(entry: Entry): PolicyRow | undefined {
  if (!hasClass(entry, 'waypostdomainpolicy') || !isIn('policies', entry)) return undefined;
  const problems = policyProblems(entry);
  return {
    kind: 'policy',
    key: entry.normalizedDn,
    dn: entry.dn,
    name: textValue(entry, 'cn') ?? '',
    order: orderOf(entry) ?? ORDER_DEFAULT,
    domains: textValues(entry, 'waypostmatchdomain').flatMap((value) => patternOf(value) ?? []),
    ...(isTrue(entry, 'waypostmatchparent') ? { isParentOurs: true } : {}),
    ...(entry.attributes.has('waypostmatchtoken') ? { hasToken: true } : {}),
    action: actionOf(entry) ?? 'off',
    ...(isTrue(entry, 'waypostallowwildcard') ? { allowsWildcard: true } : {}),
    ...(isTrue(entry, 'waypostcustody') ? { hasCustody: true } : {}),
    ...(problems.length === 0 ? {} : { problems }),
  };
}

/** What of a policy cannot be used. */
export function policyProblems(entry: Entry): Problem[] {
  const problems: Problem[] = [];
  const add = (attribute: string, value: string, reason: string): void => {
    problems.push({ attribute, value: value.slice(0, 100), reason });
  };
  const action = textValue(entry, 'waypostpolicyaction') ?? '';
  if (actionOf(entry) === undefined) add('waypostPolicyAction', action, `is none of ${ACTIONS.join(', ')}`);
  const order = textValue(entry, 'waypostpolicyorder');
  if (order !== undefined && orderOf(entry) === undefined)
    add('waypostPolicyOrder', order, `is no number from 0 to ${ORDER_MAX}`);
  const patterns = textValues(entry, 'waypostmatchdomain');
  if (patterns.length > PATTERNS_MAX)
    add('waypostMatchDomain', `${patterns.length} values`, `are more than ${PATTERNS_MAX}`);
  for (const value of patterns)
    if (patternOf(value) === undefined) add('waypostMatchDomain', value, 'is no NAME, *.NAME or *');
  if (textValue(entry, 'waypostmatchtoken')?.length === 0) add('waypostMatchToken', '', 'is empty');
  const wide = tooWide(entry);
  if (wide !== undefined) add('waypostPolicyAction', action, `${TOO_WIDE} ${wide}`);
  problems.push(...newDomainProblems(entry));
  return problems;
}

/** How the reason begins of an `auto` that anybody's domain would come by. */
export const TOO_WIDE = 'needs waypostMatchParent, waypostMatchToken or patterns of two labels:';

/** What is too wide about it. */
function tooWide(entry: Entry): string | undefined {
  const isNarrow = isTrue(entry, 'waypostmatchparent') || entry.attributes.has('waypostmatchtoken');
  if (actionOf(entry) !== 'auto' || isNarrow) return undefined;
  const patterns = textValues(entry, 'waypostmatchdomain');
  if (patterns.length === 0) return 'it holds for any name';
  // There is no list of public suffixes.
  const wide = patterns.find((value) => !(patternOf(value) ?? '').replace('*.', '').includes('.'));
  return wide === undefined ? undefined : `${wide.slice(0, 100)} is wider`;
}

function patternOf(value: string): string | undefined {
  const text = value.trim();
  if (text === '*') return text;
  const isBelow = text.startsWith('*.');
  const domain = normalizeDomain(isBelow ? text.slice(2) : text);
  return domain === undefined || domain.startsWith('[') ? undefined : isBelow ? `*.${domain}` : domain;
}

function actionOf(entry: Entry): PolicyAction | undefined {
  const word = asciiLower((textValue(entry, 'waypostpolicyaction') ?? '').trim());
  return ACTIONS.find((action) => action === word);
}

function orderOf(entry: Entry): number | undefined {
  const order = Number(textValue(entry, 'waypostpolicyorder') ?? ORDER_DEFAULT);
  return Number.isInteger(order) && order >= 0 && order <= ORDER_MAX ? order : undefined;
}

function isTrue(entry: Entry, attribute: string): boolean {
  return asciiLower(textValue(entry, attribute) ?? '') === 'true';
}

/** In the order in which they are tried. */
export function policiesInOrder(rows: readonly PolicyRow[]): readonly PolicyRow[] {
  const usable = rows.filter(({ problems }) => problems === undefined);
  return usable.sort((a, b) => a.order - b.order || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
