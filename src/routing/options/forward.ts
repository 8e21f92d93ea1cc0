// The option `forward`: mail goes on to other addresses.
//
// Out     who is here gets it at once, as any recipient; for another host a target of the channel `forward`, which marks the
//         message as sent on. Its key is that of the way that it replaces: who is reached directly too gets it once
// Of who is suspended nothing goes on: it is held, whoever it would reach

import { tryParseAddress } from '../../message/address.ts';
import { forwardTarget } from '../targets.ts';
import type { PlanOption } from './option.ts';

export const planForward: PlanOption = ({ row, name: by, target, follow }) => {
  if (by === undefined) return;
  const isSuspended = row.kind === 'user' && row.isSuspended === true;
  for (const to of row.forward ?? []) {
    const address = tryParseAddress(to);
    if (address === undefined) continue;
    if (isSuspended)
      target(forwardTarget({ recipient: address, key: `forward ${to}` }, { by, to, heldBy: 'suspended' }));
    else follow(address, (way) => forwardTarget(way, { by, to }));
  }
};
