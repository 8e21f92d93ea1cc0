// The channels of a server, by kind: the one place where they are registered. How many there are of a kind, and what they
// are called, the directory says.

import type { ChannelKind } from '../routing/compile-channel.ts';
import { AutoreplyChannel, type AutoreplyParts } from './channels/autoreply.ts';
import type { Channel } from './channels/channel.ts';
import { discardChannel } from './channels/discard.ts';
import { FileChannel, type FileChannelParts } from './channels/file.ts';
import { ForwardChannel } from './channels/forward.ts';
import { holdChannel } from './channels/hold.ts';
import { ListChannel, type ListChannelParts } from './channels/list.ts';
import { ProgramChannel, type ProgramChannelParts } from './channels/program.ts';
import { ReprocessChannel, type ReprocessParts } from './channels/reprocess.ts';
import { SmtpChannel, type SmtpChannelParts } from './channels/smtp.ts';
import { storeChannel } from './channels/store.ts';
import type { CheckedChannel } from './check.ts';

/** What is known of them without a thread of their own; for the checker of the queue. */
export const checkedChannels: ReadonlyMap<ChannelKind, CheckedChannel> = byKind<Pick<Channel, 'name' | 'isLocal'>>([
  storeChannel,
  discardChannel,
  AutoreplyChannel.kind,
  ForwardChannel.kind,
  FileChannel.kind,
  ListChannel.kind,
  ProgramChannel.kind,
  ReprocessChannel.kind,
  holdChannel,
  { ...SmtpChannel.kind, name: 'lmtp' },
  SmtpChannel.kind,
]);

/** For the transfer thread. */
export function createChannels(parts: ChannelParts): ReadonlyMap<ChannelKind, Channel> {
  return byKind<Channel>([
    storeChannel,
    discardChannel,
    new AutoreplyChannel(parts),
    new ForwardChannel(parts),
    new FileChannel(parts),
    new ListChannel(parts),
    new ProgramChannel(parts),
    new ReprocessChannel(parts),
    new SmtpChannel({ ...parts, kind: 'lmtp' }),
    new SmtpChannel(parts),
  ]);
}

/** What channels need of the transfer thread. */
export type ChannelParts = AutoreplyParts &
  ListChannelParts &
  FileChannelParts &
  ProgramChannelParts &
  ReprocessParts &
  SmtpChannelParts;

function byKind<C extends { readonly name: ChannelKind }>(channels: readonly C[]): ReadonlyMap<ChannelKind, C> {
  return new Map(channels.map((channel) => [channel.name, channel]));
}
