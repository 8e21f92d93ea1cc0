// Targets that ask for a folder, as the rights of this transaction have it: each is the folder, or INBOX.
//
// In      targets of the channel `store`, the request that the message came by
// Out     the same targets, in order, none of them with a folder to be asked for
// Who     of what a list has made of a message, who sent that

import { type AccountId, idOf } from '../base/ids.ts';
import type { Transaction } from '../database/operation.ts';
import { postedIn } from '../routing/posting.ts';
import type { RouteRequest } from '../routing/resolve.ts';
import { folderAsked, inFolder, type Target } from '../routing/targets.ts';

export async function inFolders(
  tx: Transaction,
  request: RouteRequest,
  targets: readonly Target[],
): Promise<readonly Target[]> {
  const { caller } = request.author ?? request;
  const chosen: Target[] = [];
  for (const target of targets) {
    const folder = folderAsked(target);
    if (folder === undefined) chosen.push(target);
    else {
      const owner = idOf<AccountId>(target.options['account']);
      chosen.push(inFolder(target, (await postedIn(tx, { owner, folder, caller })).mailbox));
    }
  }
  return chosen;
}
