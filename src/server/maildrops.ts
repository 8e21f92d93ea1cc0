// The main thread's side of POP3's locks: it answers protocol threads, and forgets those that have died.

import { MaildropLocks, type MaildropRequest } from '../store/maildrop-locks.ts';
import type { Supervisor } from './supervisor.ts';

/** Called before the first protocol thread starts. */
export function keepMaildropLocks(supervisor: Supervisor): void {
  const locks = new MaildropLocks();
  supervisor.onReport((thread, report) => {
    if (report.kind === 'lock-maildrop' || report.kind === 'release-maildrop')
      thread.post(locks.answer(thread.number, report as MaildropRequest));
  });
  supervisor.onExit((thread) => locks.forgetThread(thread.number));
}
