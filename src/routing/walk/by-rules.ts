// The part of a walk that goes by rewrite rules: those of `$*`, and those for a domain that has no entry.
//
// In      an address, how many lie behind it; the settings' rules and perhaps one more
// Out     the reply of what the first rule that holds leads to; whether mail is relayed, what has become of the address
// States  probe after probe, rule after rule, until one holds: its address begins anew, or its channel takes it
// Limits  APPLICATIONS_MAX rules one after another

import { isPermanent, type Reply } from '../../base/reply.ts';
import type { Address } from '../../message/address.ts';
import type { ChannelRow } from '../compile-channel.ts';
import { replies } from '../replies.ts';
import type { ProbeNote } from '../resolution.ts';
import { type Applied, appliedText, applyRule, type Conditions } from '../rewrite/apply.ts';
import { initialProbe, type Probe, probesOf } from '../rewrite/probe.ts';
import type { Rule, RuleSet } from '../rewrite/rule-set.ts';
import { printTemplate } from '../rewrite/template.ts';
import { custodyTarget, meaningInRule, ruleTarget, takesToHosts } from '../targets.ts';
import type { Onward, Walk } from './walk.ts';

const APPLICATIONS_MAX = 25;

/** What a rule leads to; as of an address, undefined: already added, or asked for. */
interface Ruled {
  readonly reply: Reply | undefined;
}

export class ByRules {
  readonly probes: ProbeNote[] = [];
  /** Of the address that the walk begins with; undefined: no rule has held for it. */
  rewritten: Address | undefined;
  isDefaultRoute = false;
  isRelay = false;
  readonly #walk: Walk;
  readonly #onward: Onward;
  readonly #rule: Rule | undefined;
  readonly #conditions: Conditions;
  #rulesWith: RuleSet | undefined;
  /** On the way to the address that is looked at now. */
  #applications = 0;
  /** The refusal that says what a rule wants said. */
  #worded: Reply | undefined;

  /** `rule`: as if there were this one, too. */
  constructor(walk: Walk, onward: Onward, rule: Rule | undefined) {
    this.#walk = walk;
    this.#onward = onward;
    this.#rule = rule;
    this.#conditions = { door: walk.request.door, hasDomainEntry: (domain) => this.#hasDomainEntry(domain) };
  }

  /** By rules of `$*`, which come before all else; undefined: none of them holds. */
  initially(address: Address, depth: number): Ruled | undefined {
    const rules = this.#rules();
    return rules === undefined || rules.initial.length === 0
      ? undefined
      : this.#ruled(rules, [initialProbe(address.domain)], address, depth);
  }

  /** Of a domain that has no entry, and is no name of this host. */
  elsewhere(address: Address, depth: number): Reply | undefined {
    const rules = this.#rules();
    return rules && this.#ruled(rules, probesOf(address.domain), address, depth)?.reply;
  }

  /** Undefined: asked for. */
  #rules(): RuleSet | undefined {
    const settings = this.#walk.settings();
    if (settings === undefined || this.#rule === undefined) return settings?.rules;
    this.#rulesWith ??= settings.rules.with(this.#rule);
    return this.#rulesWith;
  }

  /** By the first rule that holds; undefined: none does, which cannot be where the built-in one is among them. */
  #ruled(rules: RuleSet, probes: readonly Probe[], address: Address, depth: number): Ruled | undefined {
    const { explain } = this.#walk;
    for (const probe of probes) {
      const same = rules.at(probe.pattern);
      if (explain && same.length === 0) this.probes.push({ pattern: probe.pattern, rule: null, why: 'no rule' });
      for (const rule of same) {
        const applied = this.#applied(rule, probe, address);
        if (explain) this.#noteRule(rule, applied);
        if (applied.result === 'failed') continue;
        return { reply: applied.result === 'unknown' ? undefined : this.#leads(rule, applied, depth) };
      }
    }
    return undefined;
  }

  /** Mail for people here needs a domain entry: without one a rule for them fails. */
  #applied(rule: Rule, probe: Probe, address: Address): Applied {
    const applied = applyRule(rule.template, address, probe, this.#conditions);
    if (applied.result !== 'applied' || applied.channel === undefined) return applied;
    const channel = this.#walk.channel(applied.channel);
    if (channel === undefined || meaningInRule(channel) !== 'directory') return applied;
    const { domain } = applied.address;
    const has = this.#hasDomainEntry(domain);
    if (has === undefined) return { result: 'unknown' };
    return has ? applied : { result: 'failed', why: `${domain} has no domain entry` };
  }

  #leads(rule: Rule, applied: Extract<Applied, { result: 'applied' | 'refused' }>, depth: number): Reply | undefined {
    if (applied.result === 'refused') {
      const { text } = applied;
      return this.#say(text === undefined ? replies.refusedByRule : { ...replies.refusedByRule, text });
    }
    if (this.#applications === APPLICATIONS_MAX) {
      if (this.#walk.explain) this.#walk.step('loop', `more than ${APPLICATIONS_MAX} rules one after another`);
      return replies.rewrittenTooOften;
    }
    if (depth === 0) this.rewritten = applied.address;
    const isFirst = depth === 0 && this.#applications === 0;
    // The default route is for domains without an entry here.
    this.isDefaultRoute = rule.source === 'built-in' && isFirst && !this.#walk.hasEntry(applied.address.domain);
    this.#applications++;
    const reply = this.#goOn(rule, applied, depth);
    this.#applications--;
    const { text } = applied;
    // The last rule that has words for it has the say.
    const isNowhere = reply !== undefined && isPermanent(reply) && reply !== this.#worded;
    return text !== undefined && isNowhere ? this.#say({ ...reply, text }) : reply;
  }

  #say(reply: Reply): Reply {
    this.#worded = reply;
    return reply;
  }

  /** From the beginning, or by the channel that the rule names. */
  #goOn(rule: Rule, applied: Extract<Applied, { result: 'applied' }>, depth: number): Reply | undefined {
    const { address, hop } = applied;
    const channel = applied.channel === undefined ? undefined : this.#walk.channel(applied.channel);
    if (channel === undefined && applied.channel !== undefined) return replies.noChannel;
    const meaning = channel === undefined ? 'anew' : meaningInRule(channel);
    if (channel === undefined || meaning === 'anew') return this.#onward.address(address, depth);
    const route = this.#walk.route(address.domain);
    if (route === undefined) return undefined;
    // Whom a list or a catch-all names is the choice of the domain's owner, not of the sender.
    if (depth === 0 && route === null) {
      // Also for who may relay: it is when such mail is released that the domain may be gone again.
      if (this.isDefaultRoute && this.#walk.request.custody?.includes(address.domain) === true)
        return this.#walk.target(custodyTarget(address));
      this.isRelay = true;
      if (!this.#walk.request.mayRelay) return replies.relayDenied;
    }
    if (meaning === 'directory' && route !== null) return this.#onward.ofDomain(address, route, depth);
    const own = depth === 0 && route === null ? this.#ofLogin(channel) : channel;
    if (own === undefined) return replies.noSubmitChannel;
    // Where a login's channel has hosts of its own, they count.
    const way = own !== channel && own.daemon !== undefined ? undefined : hop;
    return this.#walk.target(ruleTarget(own, address, { hop: way, waitsFor: `rule ${rule.key}` }));
  }

  /** In place of the usual way out the channel of the login that sends. What a rule holds or drops it does not free. */
  #ofLogin(channel: ChannelRow): ChannelRow | undefined {
    const { channel: name } = this.#walk.request;
    if (name === undefined || !takesToHosts(channel)) return channel;
    if (this.#walk.explain) this.#walk.step('channel', `mailSMTPSubmitChannel of the login: ${name}`);
    const own = this.#walk.channel(name);
    return own !== undefined && takesToHosts(own) ? own : undefined;
  }

  #hasDomainEntry(domain: string): boolean | undefined {
    const route = this.#walk.route(domain);
    return route === undefined ? undefined : route !== null;
  }

  #noteRule({ pattern, name, template, source }: Rule, applied: Applied): void {
    if (applied.result === 'unknown') return;
    const why = appliedText(applied);
    this.probes.push({ pattern, rule: name, why });
    const from = source === 'entry' ? name : source;
    this.#walk.step('rewrite rule', `${pattern} ${printTemplate(template)} (${from}): ${why}`);
  }
}
