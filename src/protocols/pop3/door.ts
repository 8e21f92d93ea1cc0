// What the POP3 door needs of the rest of the program; the same for every connection of a thread.

import type { Logins } from '../../auth/logins.ts';
import type { AccountId } from '../../base/ids.ts';
import type { Limits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import type { Reader, Writer } from '../../database/operation.ts';
import type { ConnectionRecord } from '../../net/connection.ts';
import type { TlsServer } from '../../net/tls.ts';
import type { Blobs } from '../../store/blobs.ts';

export interface Pop3Door {
  /** What greeting and hello call this server: by SNI a virtual server's name, else this host's. */
  readonly hostname: (record: ConnectionRecord) => string;
  /** For STARTTLS; undefined where it is not offered. */
  readonly tls: TlsServer | undefined;
  readonly limits: Limits;
  readonly log: Log;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly blobs: Blobs;
  readonly logins: Pick<Logins, 'mechanisms' | 'login' | 'sasl'>;
  /**
   * One POP3 session a maildrop, in whatever thread. Gives the way to let it go, which resolves when the next one may have
   * it; undefined while another session has it.
   */
  readonly lockMaildrop: (account: AccountId, connection: number) => Promise<(() => Promise<void>) | undefined>;
  /** No rule takes mail away by its age, anybody's. */
  readonly keepsAll: () => boolean;
  /** One more status line, for the metrics. */
  readonly countReply: (listener: string, status: 'ok' | 'err') => void;
}
