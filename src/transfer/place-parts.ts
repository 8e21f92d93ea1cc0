// Of the channels (ways-out.ts) those that need no queue, for threads that have no other.

import type { Site } from '../routing/resolve.ts';
import type { LocalChannel } from './channels/channel.ts';
import { discardChannel } from './channels/discard.ts';
import { storeChannelOf } from './channels/store.ts';
import type { PlaceParts } from './place.ts';

/** For the writer, and for who posts its operations; `warnPercent` counts in the writer alone. */
export function placeParts(site: Site, warnPercent = 90): PlaceParts {
  const local: readonly LocalChannel[] = [storeChannelOf({ warnPercent }), discardChannel];
  return { site, localChannels: new Map(local.map((channel) => [channel.name, channel])) };
}
