// channel list, show, pause, resume: the ways out, what their entries say, and what waits for each.

import { z } from 'zod';
import { asciiLower } from '../base/characters.ts';
import { Failure } from '../base/failure.ts';
import { allChannels, channelNamed } from '../routing/channels.ts';
import type { ChannelKind, ChannelRow } from '../routing/compile-channel.ts';
import { containerDn } from '../routing/containers.ts';
import type { Problem } from '../routing/rows.ts';
import { type ChannelFigures, channelFigures } from '../transfer/queue.ts';
import type { Changed } from './changed.ts';
import { type Asked, dryRun, type EntryParts, submitForCommand, valuesOf } from './entries.ts';
import { adminOperation } from './operation.ts';

/** The keys of the JSON. */
export interface ListedChannel {
  readonly name: string;
  readonly kind: ChannelKind;
  /** As the entry has them. */
  readonly keywords: readonly string[];
  /** `built-in`: there is no entry. */
  readonly source: 'entry' | 'built-in';
  readonly paused: boolean;
  /** Rows that wait or are held, and those that are being worked on. */
  readonly queued: number;
  readonly active: number;
  /** When the oldest of them came into the queue. */
  readonly oldest: string | null;
}

export interface ShownChannel extends ListedChannel {
  readonly dn: string | null;
  readonly problems: readonly Problem[];
}

const name = z.string().min(1).max(255);

export const channelList = (parts: EntryParts) =>
  adminOperation('channel.list', z.strictObject({}), (): ListedChannel[] => {
    const figures = channelFigures(parts.reader);
    return allChannels(parts.routing.settings()).map((row) => listed(row, figures));
  });

export const channelShow = (parts: EntryParts) =>
  adminOperation('channel.show', z.strictObject({ name }), (input): ShownChannel => {
    const row = rowOf(parts, input.name);
    const { dn, problems = [] } = row;
    return { ...listed(row, channelFigures(parts.reader)), dn: dn === '' ? null : dn, problems };
  });

export const channelPause = (parts: EntryParts) =>
  adminOperation('channel.pause', z.strictObject({ name, dryRun }), (input, caller, peer): Promise<Changed> => {
    const row = rowOf(parts, input.name);
    return setPaused(parts, row, { isPaused: true, caller, peer, dryRun: input.dryRun });
  });

export const channelResume = (parts: EntryParts) =>
  adminOperation('channel.resume', z.strictObject({ name, dryRun }), (input, caller, peer): Promise<Changed> => {
    const row = rowOf(parts, input.name);
    return setPaused(parts, row, { isPaused: false, caller, peer, dryRun: input.dryRun });
  });

function rowOf({ routing }: EntryParts, name: string): ChannelRow {
  const row = channelNamed(routing.settings(), asciiLower(name));
  if (row === undefined) throw new Failure('not-found', `there is no channel ${name}`);
  return row;
}

function listed(row: ChannelRow, figures: ReadonlyMap<string, ChannelFigures>): ListedChannel {
  const { key, channelKind, keywords, dn, isPaused } = row;
  const { queued, active, oldestAt } = figures.get(key) ?? { queued: 0, active: 0, oldestAt: undefined };
  return {
    name: key,
    kind: channelKind,
    keywords,
    source: dn === '' ? 'built-in' : 'entry',
    paused: isPaused,
    queued,
    active,
    oldest: oldestAt === undefined ? null : new Date(oldestAt).toISOString(),
  };
}

/** Changes nothing where it is so already. A channel without an entry gets one, which says no more than this. */
async function setPaused(
  parts: EntryParts,
  { key, dn, channelKind, isPaused }: ChannelRow,
  { isPaused: wanted, ...asked }: Asked & { readonly isPaused: boolean },
): Promise<Changed> {
  if (wanted === isPaused)
    return { dryRun: asked.dryRun ?? false, revision: parts.reader.revision(), entries: [], rows: [] };
  const values = wanted ? ['TRUE'] : [];
  if (dn !== '')
    return submitForCommand(
      parts,
      { kind: 'modify', dn, modifications: [{ operation: 'replace', attribute: 'waypostPaused', values }] },
      asked,
    );
  const attributes = valuesOf({
    objectClass: ['waypostChannel'],
    cn: [key],
    waypostChannelKind: [channelKind],
    waypostPaused: values,
  });
  return submitForCommand(parts, { kind: 'add', dn: `cn=${key},${containerDn('channels')}`, attributes }, asked);
}
