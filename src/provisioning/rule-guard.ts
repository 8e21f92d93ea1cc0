// What no change may make of rewrite rules: one that does not parse or names no channel, more than RULES_MAX, a channel gone
// that a rule names.
//
// In      an entry before and after a change, before its row is written; in its transaction
// Out     nothing; or objectClassViolation, invalidAttributeSyntax, constraintViolation, adminLimitExceeded, unwillingToPerform, and nothing has happened

import type { Transaction } from '../database/operation.ts';
import type { ChangedEntry, Entry } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import { builtInKind } from '../routing/channels.ts';
import { compileChannel } from '../routing/compile-channel.ts';
import {
  compileRule,
  isRule,
  MISSING,
  noChannelText,
  RULES_MAX,
  type RuleRow,
  ruleProblems,
} from '../routing/compile-rule.ts';
import { stateIn } from '../routing/generation.ts';
import { parseTemplate } from '../routing/rewrite/parse-template.ts';
import type { TemplateChannel } from '../routing/rewrite/template.ts';
import { settingIn, settingsIn } from '../routing/setting-rows.ts';

export async function checkRules(tx: Transaction, { before, after }: ChangedEntry): Promise<void> {
  if (after !== undefined && isRule(after)) await checkRule(tx, before, after);
  const channel = before && compileChannel(before)?.key;
  if (channel === undefined || builtInKind(channel) !== undefined) return;
  if ((after && compileChannel(after)?.key) === channel) return;
  const rule = (await rulesIn(tx)).find((each) => channelOf(each)?.name === channel);
  if (rule !== undefined)
    throw directoryFailure('unwillingToPerform', `The rewrite rule ${rule.dn} names this channel`);
}

async function checkRule(tx: Transaction, before: Entry | undefined, after: Entry): Promise<void> {
  const [problem] = ruleProblems(after);
  if (problem !== undefined) {
    const { attribute, reason } = problem;
    if (reason === MISSING) throw directoryFailure('objectClassViolation', `${attribute} ${MISSING}`);
    const name = attribute === 'waypostOrder' ? 'constraintViolation' : 'invalidAttributeSyntax';
    throw directoryFailure(name, `${attribute}: ${reason}`);
  }
  const row = compileRule(after);
  // Elsewhere it is no rule.
  if (row === undefined) return;
  const channel = channelOf(row);
  if (channel !== undefined && !(await hasChannel(tx, channel.name)))
    throw directoryFailure('constraintViolation', `waypostTemplate: ${noChannelText(channel)}`);
  const isOneMore = before === undefined || compileRule(before) === undefined;
  if (isOneMore && (await rulesIn(tx)).length >= RULES_MAX)
    throw directoryFailure('adminLimitExceeded', `There are ${RULES_MAX} rewrite rules, more are not kept`);
}

/** The channel of a rule that parses. */
function channelOf({ template, problems }: RuleRow): TemplateChannel | undefined {
  return problems === undefined ? parseTemplate(template).address?.channel : undefined;
}

async function hasChannel(tx: Transaction, name: string): Promise<boolean> {
  if (builtInKind(name) !== undefined) return true;
  const { generation } = await stateIn(tx);
  return (await settingIn(tx, generation, 'channel', name)) !== null;
}

async function rulesIn(tx: Transaction): Promise<RuleRow[]> {
  const { generation } = await stateIn(tx);
  return (await settingsIn(tx, generation)).filter((row) => row.kind === 'rule');
}
