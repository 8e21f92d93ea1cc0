// The sessions of this thread that wait for changes of an account.

import type { AccountId } from '../base/ids.ts';
import type { WriterClient } from '../database/client.ts';
import type { SharedState } from '../database/shared.ts';

/** `thread` counts its watchers in shared memory, so that the writer sends nothing to a thread without any. */
export function createWatchers(
  writer: WriterClient,
  shared: SharedState,
  thread: number,
): (account: AccountId, changed: () => void) => () => void {
  const watchers = new Map<AccountId, Set<() => void>>();
  writer.onNotification((notification) => {
    if (notification.kind !== 'account') return;
    for (const changed of watchers.get(notification.account) ?? []) changed();
  });
  return (account, changed) => {
    const those = watchers.get(account) ?? new Set();
    watchers.set(account, those);
    those.add(changed);
    shared.addListeners(thread, 1);
    return () => {
      if (!those.delete(changed)) return;
      shared.addListeners(thread, -1);
      if (those.size === 0 && watchers.get(account) === those) watchers.delete(account);
    };
  };
}
