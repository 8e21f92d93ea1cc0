// The POP3 door of one thread, put together.

import type { Logins } from '../../auth/logins.ts';
import type { TlsServer } from '../../net/tls.ts';
import type { Pop3Door } from '../../protocols/pop3/door.ts';
import { isAnyExpiry } from '../../routing/expiry.ts';
import type { Blobs } from '../../store/blobs.ts';
import type { MaildropClient } from '../../store/maildrop-locks.ts';
import type { ThreadParts } from '../threads/parts.ts';

export interface Pop3DoorParts extends ThreadParts {
  readonly tls: TlsServer;
  readonly blobs: Blobs;
  readonly logins: Logins;
  readonly maildrops: MaildropClient;
}

export function pop3Door(parts: Pop3DoorParts): Pop3Door {
  return {
    hostname: (record) => parts.tls.nameFor(record),
    tls: parts.tls,
    limits: parts.configuration.limits,
    log: parts.log,
    reader: parts.database.reader,
    writer: parts.writer,
    blobs: parts.blobs,
    logins: parts.logins,
    lockMaildrop: (account, connection) => parts.maildrops.lock(account, connection),
    keepsAll: () => !isAnyExpiry(parts.database.reader),
    countReply: (listener, status) => parts.counters.add('pop3', `${listener} ${status}`),
  };
}
