// A channel that holds mail keeps its entry, its name and its kind: its rows would lead nowhere, or be what they are not.
//
// Channels that are there without an entry lose their words only.

import { directoryFailure } from '../directory/failure.ts';
import type { ChangeGuard } from '../provisioning/change.ts';
import { builtInKind } from '../routing/channels.ts';
import { compileChannel } from '../routing/compile-channel.ts';
import { holdsMail } from './queue.ts';

export const keepUsedChannel: ChangeGuard = async (tx, { before, after }) => {
  const was = before && compileChannel(before);
  if (was === undefined || builtInKind(was.key) !== undefined) return;
  const is = after && compileChannel(after);
  if (is?.key === was.key && is.channelKind === was.channelKind) return;
  if (await holdsMail(tx, was.key))
    throw directoryFailure('unwillingToPerform', `The channel ${was.key} holds mail: queue list`);
};
