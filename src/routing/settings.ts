// What holds for all addresses and is small: rules, channels, hosts, programs, policies. Compiled from entries, each kind in its own file.
//
// In      entries right below a container of `ou=Waypost`
// Out     rows with the key that the table and its history know them by
// Limits  they are few, and every thread has all of them in memory

import type { Entry } from '../directory/entry.ts';
import { type ChannelRow, compileChannel } from './compile-channel.ts';
import { compileHost, type HostRow } from './compile-host.ts';
import { compilePolicy, type PolicyRow, policiesInOrder } from './compile-policy.ts';
import { compileProgram, type ProgramRow } from './compile-program.ts';
import { compileRule, type RuleRow } from './compile-rule.ts';
import { type Rule, RuleSet } from './rewrite/rule-set.ts';

export type SettingRow = ChannelRow | HostRow | PolicyRow | ProgramRow | RuleRow;

export interface RoutingSettings {
  readonly rules: RuleSet;
  /** By name; see channels.ts for those that need no entry. */
  readonly channels: ReadonlyMap<string, ChannelRow>;
  /** By name. */
  readonly hosts: ReadonlyMap<string, HostRow>;
  /** By name. */
  readonly programs: ReadonlyMap<string, ProgramRow>;
  /** Of domains that messages bring, in the order in which they are tried. */
  readonly policies: readonly PolicyRow[];
}

/** Undefined for an entry that is none. */
export function compileSetting(entry: Entry): SettingRow | undefined {
  return (
    compileChannel(entry) ?? compileHost(entry) ?? compilePolicy(entry) ?? compileProgram(entry) ?? compileRule(entry)
  );
}

/** `fileRules`: those of the configuration (Site). */
export function settingsOf(rows: readonly SettingRow[], fileRules: readonly Rule[] = []): RoutingSettings {
  const entries = rows.filter((row) => row.kind === 'rule').filter(({ isEnabled }) => isEnabled);
  return {
    rules: new RuleSet(entries, fileRules),
    channels: new Map(rows.filter((row) => row.kind === 'channel').map((row) => [row.key, row])),
    hosts: new Map(rows.filter((row) => row.kind === 'host').map((row) => [row.key, row])),
    programs: new Map(rows.filter((row) => row.kind === 'program').map((row) => [row.key, row])),
    policies: policiesInOrder(rows.filter((row) => row.kind === 'policy')),
  };
}
