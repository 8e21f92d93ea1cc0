// The channels of a site, by name: those of its entries, and one of each kind's name where there is none.
//
// In      settings (settings.ts); a name as targets and queue rows have it
// Out     the channel's row; undefined for a name that is none
// Never   knows how a channel delivers: transfer/channels/

import { type ChannelKind, type ChannelRow, channelKinds } from './compile-channel.ts';
import type { RoutingSettings } from './settings.ts';

const BUILT_IN: ReadonlyMap<string, ChannelRow> = new Map(
  channelKinds.map((kind) => [
    kind,
    { kind: 'channel', key: kind, dn: '', channelKind: kind, keywords: [], isPaused: false },
  ]),
);

export function channelNamed(settings: Pick<RoutingSettings, 'channels'>, name: string): ChannelRow | undefined {
  return settings.channels.get(name) ?? BUILT_IN.get(name);
}

/** The kind of a channel that needs no entry to be one; undefined: its entry says. */
export function builtInKind(name: string): ChannelKind | undefined {
  return BUILT_IN.get(name)?.channelKind;
}

/** All of them, in order of name. */
export function allChannels({ channels }: Pick<RoutingSettings, 'channels'>): ChannelRow[] {
  return [...new Map([...BUILT_IN, ...channels]).values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Names. */
export function pausedChannels({ channels }: Pick<RoutingSettings, 'channels'>): string[] {
  return [...channels.values()].filter(({ isPaused }) => isPaused).map(({ key }) => key);
}
