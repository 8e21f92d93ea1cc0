// The sessions of this thread that wait for changes of an account.

import type { AccountId, MailboxId, Modseq } from '../base/ids.ts';
import type { WriterClient } from '../database/client.ts';
import type { SharedState } from '../database/shared.ts';

/** Of which mailbox messages have come, gone or changed, and up to where. Undefined: the account has other mailboxes, names, or subscriptions. */
export type AccountChange = { readonly mailbox: MailboxId; readonly modseq: Modseq } | undefined;

export type WatchAccount = (account: AccountId, changed: (change: AccountChange) => void) => () => void;

/** `thread` counts its watchers in shared memory, so that the writer sends nothing to a thread without any. */
export function createWatchers(
  writer: Pick<WriterClient, 'onNotification'>,
  shared: SharedState,
  thread: number,
): WatchAccount {
  const watchers = new Map<AccountId, Set<(change: AccountChange) => void>>();
  writer.onNotification((notification) => {
    if (notification.kind !== 'mailbox' && notification.kind !== 'mailboxes') return;
    const change = notification.kind === 'mailbox' ? notification : undefined;
    for (const changed of watchers.get(notification.account) ?? []) changed(change);
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
