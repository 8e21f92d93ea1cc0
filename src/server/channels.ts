// The channels of this server, by name: the one place where they are registered.

import type { Site } from '../routing/resolve.ts';
import type { Channel } from '../transfer/channels/channel.ts';
import { SmtpChannel, type SmtpChannelParts } from '../transfer/channels/smtp.ts';
import { storeChannel } from '../transfer/channels/store.ts';
import type { PlaceParts } from '../transfer/place.ts';

const localChannels = byName([storeChannel]);

/** What is known of them without a thread of their own; for the writer, and for the checker of the queue. */
export const channelKinds: ReadonlyMap<string, Pick<Channel, 'name' | 'isLocal'>> = byName([
  storeChannel,
  SmtpChannel.kind,
]);

/** For the writer, and for who posts its operations. */
export function placeParts(site: Site): PlaceParts {
  return { site, localChannels };
}

/** For the transfer thread. */
export function createChannels(parts: SmtpChannelParts): ReadonlyMap<string, Channel> {
  return byName<Channel>([storeChannel, new SmtpChannel(parts)]);
}

function byName<C extends { readonly name: string }>(channels: readonly C[]): ReadonlyMap<string, C> {
  return new Map(channels.map((channel) => [channel.name, channel]));
}
