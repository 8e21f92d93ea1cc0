// What the IMAP door needs of the rest of the program; the same for every connection of a thread.

import type { Logins } from '../../auth/logins.ts';
import type { Clock } from '../../base/clock.ts';
import type { AccountId, MessageId } from '../../base/ids.ts';
import type { Limits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import type { Reader, Writer } from '../../database/operation.ts';
import type { ConnectionRecord } from '../../net/connection.ts';
import type { TlsServer } from '../../net/tls.ts';
import type { MailboxRights } from '../../routing/mailbox-rights.ts';
import type { Blobs } from '../../store/blobs.ts';
import type { Intakes } from '../../store/intake.ts';
import type { SearchIndex } from '../../store/search-index/search-index.ts';
import type { WatchAccount } from '../../store/watchers.ts';
import type { Views } from './views.ts';

export interface ImapDoor {
  /** What greeting and hello call this server: by SNI a virtual server's name, else this host's. */
  readonly hostname: (record: ConnectionRecord) => string;
  /** For STARTTLS; undefined where it is not offered. */
  readonly tls: TlsServer | undefined;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly log: Log;
  readonly nextId: () => MessageId;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly views: Views;
  /** What whoever has logged in may do in mailboxes of others. */
  readonly rights: MailboxRights;
  readonly blobs: Blobs;
  readonly searchIndex: SearchIndex;
  readonly intakes: Intakes;
  readonly logins: Pick<Logins, 'mechanisms' | 'login' | 'sasl'>;
  /** Calls `changed` after commits that touch this account, those of this session too; gives the way to end that. */
  readonly watch: WatchAccount;
  /** Makes the folders that an account gets at its first login; undefined: there is nothing to wait for. */
  readonly makeFirstFolders: (account: AccountId) => Promise<void> | undefined;
  /** How many of the thread's connections are. */
  readonly compressed: { connections: number };
  /** One more tagged reply, for the metrics. */
  readonly countReply: (listener: string, status: 'OK' | 'NO' | 'BAD') => void;
}
