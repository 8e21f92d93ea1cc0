// The IMAP door of one thread, put together.

import type { Logins } from '../../auth/logins.ts';
import { systemClock } from '../../base/clock.ts';
import type { TlsServer } from '../../net/tls.ts';
import type { ImapDoor } from '../../protocols/imap/door.ts';
import { Views } from '../../protocols/imap/views.ts';
import { partiesOf } from '../../routing/identities.ts';
import { MailboxRights } from '../../routing/mailbox-rights.ts';
import type { Blobs } from '../../store/blobs.ts';
import { FirstFolders } from '../../store/first-folders.ts';
import type { Intakes } from '../../store/intake.ts';
import type { SearchIndex } from '../../store/search-index/search-index.ts';
import type { ThreadParts } from '../threads/parts.ts';

export interface ImapDoorParts extends ThreadParts {
  readonly tls: TlsServer;
  readonly intakes: Intakes;
  readonly blobs: Blobs;
  readonly searchIndex: SearchIndex;
  readonly logins: Logins;
  readonly watch: ImapDoor['watch'];
}

export function imapDoor(parts: ImapDoorParts): ImapDoor {
  const firstFolders = new FirstFolders(parts.configuration.store.firstFolders, {
    reader: parts.database.reader,
    writer: parts.writer,
  });
  return {
    hostname: (record) => parts.tls.nameFor(record),
    tls: parts.tls,
    limits: parts.configuration.limits,
    clock: systemClock,
    log: parts.log,
    nextId: () => parts.ids.next(),
    reader: parts.database.reader,
    writer: parts.writer,
    views: new Views(parts.database.reader, systemClock),
    rights: new MailboxRights({
      reader: parts.database.reader,
      parties: partiesOf(parts.database.reader),
      moves: () => parts.shared.rightsMoves(),
      onMoved: (moved) => void parts.writer.onNotification(({ kind }) => kind === 'rights' && moved()),
    }),
    blobs: parts.blobs,
    searchIndex: parts.searchIndex,
    intakes: parts.intakes,
    logins: parts.logins,
    watch: parts.watch,
    makeFirstFolders: (account) => firstFolders.make(account),
    compressed: { connections: 0 },
    countReply: (listener, status) => parts.counters.add('imap', `${listener} ${status}`),
  };
}
