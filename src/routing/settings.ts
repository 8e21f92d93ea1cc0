// What holds for all addresses and is small: rules, channels, hosts, programs. Compiled from entries, each kind in its own file.
//
// In      entries right below a container of `ou=Waypost`
// Out     rows with the key that the table and its history know them by
// Limits  they are few, and every thread has all of them in memory

import type { Entry } from '../directory/entry.ts';
import { type ChannelRow, compileChannel } from './compile-channel.ts';
import { compileHost, type HostRow } from './compile-host.ts';
import { compileProgram, type ProgramRow } from './compile-program.ts';
import { compileRule, type RuleRow } from './compile-rule.ts';
import { type Rule, RuleSet } from './rewrite/rule-set.ts';

export type SettingRow = ChannelRow | HostRow | ProgramRow | RuleRow;

export interface RoutingSettings {
  readonly rules: RuleSet;
  /** By name; see channels.ts for those that need no entry. */
  readonly channels: ReadonlyMap<string, ChannelRow>;
  /** By name. */
  readonly hosts: ReadonlyMap<string, HostRow>;
  /** By name. */
  readonly programs: ReadonlyMap<string, ProgramRow>;
}

/** Undefined for an entry that is none. */
export function compileSetting(entry: Entry): SettingRow | undefined {
  return compileChannel(entry) ?? compileHost(entry) ?? compileProgram(entry) ?? compileRule(entry);
}

/** `fileRules`: those of the configuration (Site). */
export function settingsOf(rows: readonly SettingRow[], fileRules: readonly Rule[] = []): RoutingSettings {
  const entries = rows.filter((row) => row.kind === 'rule').filter(({ isEnabled }) => isEnabled);
  return {
    rules: new RuleSet(entries, fileRules),
    channels: new Map(rows.filter((row) => row.kind === 'channel').map((row) => [row.key, row])),
    hosts: new Map(rows.filter((row) => row.kind === 'host').map((row) => [row.key, row])),
    programs: new Map(rows.filter((row) => row.kind === 'program').map((row) => [row.key, row])),
  };
}
