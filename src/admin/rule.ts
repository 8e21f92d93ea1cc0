// rule list, rule test: what decides over an address, and what of it decides over this one.

import { z } from 'zod';
import { Failure } from '../base/failure.ts';
import type { Reader } from '../database/operation.ts';
import { formatAddress } from '../message/address.ts';
import type { RoutingCache } from '../routing/cache.ts';
import { channelNamed } from '../routing/channels.ts';
import { noChannelText } from '../routing/compile-rule.ts';
import { replies } from '../routing/replies.ts';
import type { ProbeNote } from '../routing/resolve.ts';
import { parseTemplate, TEMPLATE_CHARACTERS } from '../routing/rewrite/parse-template.ts';
import { INITIAL, PATTERN_CHARACTERS, parsePattern } from '../routing/rewrite/pattern.ts';
import { type Rule, type RuleSource, ruleOf } from '../routing/rewrite/rule-set.ts';
import { printTemplate } from '../routing/rewrite/template.ts';
import { DOORS } from '../routing/route-request.ts';
import type { RouteRow } from '../routing/rows.ts';
import { readRoutes } from '../routing/table-contents.ts';
import { askedAddress } from './naming.ts';
import { adminOperation } from './operation.ts';

/** A pattern and a template, each as long as it may be, and what stands between them. */
export const RULE_TEXT_MAX = PATTERN_CHARACTERS + TEMPLATE_CHARACTERS + 100;
/** Domains of one page; the rules of a site are few. */
const PAGE = 1000;

export interface ListedRule {
  /** Of rules with the same pattern; null where they have none. */
  readonly order: number | null;
  readonly pattern: string;
  readonly template: string;
  /** `domain`: a domain entry, whose people the directory knows. */
  readonly source: RuleSource | 'domain';
  readonly name: string;
}

export interface ListedRules {
  readonly rules: readonly ListedRule[];
  /** For `after`, to go on; null at the end. */
  readonly next: string | null;
}

export interface TestedRule {
  readonly probes: readonly Pick<ProbeNote, 'pattern' | 'rule' | 'why'>[];
  /** What has become of it. */
  readonly address: string;
  /** Where it goes; null: nowhere. */
  readonly channel: string | null;
  readonly nexthop: string | null;
}

export const ruleList = (parts: { readonly reader: Reader; readonly routing: RoutingCache }) =>
  adminOperation(
    'rule.list',
    // `after` is a domain.
    z.strictObject({ after: z.string().max(255).optional() }),
    ({ after }): ListedRules => {
      const { rules } = parts.routing.settings();
      const domains = readRoutes(parts.reader, after ?? '', PAGE);
      const listed = domains.map((route) => ({
        order: null,
        pattern: route.domain,
        template: templateOf(route),
        source: 'domain' as const,
        name: route.domain,
      }));
      const first = after === undefined ? rules.initial.map(listedRule) : [];
      if (domains.length === PAGE) return { rules: [...first, ...listed], next: domains.at(-1)!.domain };
      const others = rules.inOrder().filter(({ pattern }) => pattern !== INITIAL);
      return { rules: [...first, ...listed, ...others.map(listedRule)], next: null };
    },
  );

function templateOf({ isMx, isWithoutMail }: RouteRow): string {
  if (isWithoutMail === true) return `$?${replies.noMailHere.text}`;
  return isMx === undefined ? '$U%$D@store' : '$U%$D@smtp';
}

function listedRule({ order, pattern, template, source, name }: Rule): ListedRule {
  return { order: order ?? null, pattern, template: printTemplate(template), source, name };
}

export const ruleTest = (parts: { readonly routing: RoutingCache }) =>
  adminOperation(
    'rule.test',
    z.strictObject({
      address: z.string().min(1).max(320),
      with: z.string().max(RULE_TEXT_MAX).optional(),
      door: z.enum(DOORS).optional(),
    }),
    async (input, caller): Promise<TestedRule> => {
      const { routing } = parts;
      const request = { sender: undefined, caller, mayRelay: true, door: input.door ?? 'internal' } as const;
      const address = askedAddress(input.address);
      const rule = ruleOfText(input.with, routing);
      const resolution = await routing.resolve(address, request, { explain: true, verify: true, rule });
      const target = resolution.targets[0];
      const nexthop = target && (target.destination === '' ? routing.site.hostnames[0]! : target.destination);
      return {
        probes: resolution.probes.map(({ pattern, rule: name, why }) => ({ pattern, rule: name, why })),
        address: formatAddress(resolution.rewritten),
        channel: target?.channel ?? null,
        nexthop: nexthop ?? null,
      };
    },
  );

/** As people write a rule in one line: `PATTERN TEMPLATE`. Undefined for none. Throws `syntax`, or `invalid` where it names no channel. */
export function ruleOfText(text: string | undefined, routing: RoutingCache): Rule | undefined {
  if (text === undefined) return undefined;
  const [, pattern, template] = /^\s*(\S+)\s+(\S.*)$/s.exec(text) ?? [];
  if (pattern === undefined || template === undefined)
    throw new Failure('syntax', 'A rule is PATTERN TEMPLATE, with a blank between them');
  named('pattern', () => parsePattern(pattern));
  named('template', () => parseTemplate(template));
  const rule = ruleOf({ key: '', name: '--with', pattern, template }, 'entry');
  const { channel } = rule.template.address ?? {};
  if (channel !== undefined && channelNamed(routing.settings(), channel.name) === undefined)
    throw new Failure('invalid', `template: ${noChannelText(channel)}`);
  return rule;
}

/** A failure says which part it is about. */
function named(part: string, parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    throw error instanceof Failure ? new Failure(error.kind, `${part}: ${error.message}`, { cause: error }) : error;
  }
}
