// What the POP3 door needs of the rest of the program; the same for every connection of a thread.

import type { StandingLogin } from '../../auth/standing-login.ts';
import type { AccountId } from '../../base/ids.ts';
import type { Limits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import type { Reader, Writer } from '../../database/operation.ts';
import type { Blobs } from '../../store/blobs.ts';

export interface Pop3Door {
  readonly hostname: () => string;
  readonly limits: Limits;
  readonly log: Log;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly blobs: Blobs;
  /**
   * The account behind a login and its password. Throws Failure `unauthenticated` for a wrong one, after as much work as
   * for a right one, `denied` for an account that may not log in, or `unavailable`.
   */
  readonly login: (
    login: string,
    password: Buffer,
    peer: string,
  ) => Promise<StandingLogin<{ readonly account: AccountId }>>;
  /**
   * One POP3 session a maildrop, in whatever thread. Gives the way to let it go, which resolves when the next one may have
   * it; undefined while another session has it.
   */
  readonly lockMaildrop: (account: AccountId, connection: number) => Promise<(() => Promise<void>) | undefined>;
  /** One more status line, for the metrics. */
  readonly countReply: (listener: string, status: 'ok' | 'err') => void;
}
