// The tables of the message store. Account stands first in every key; nothing here knows an address or a DN.
//
//   segment          a file of message bytes; `closed` when no more comes. `dead` octets of it are no message's, in records that a
//                    row has had (space.ts); with `counted` all that are. `stuck`: what is left could not be moved. `packed`: its
//                    records are compressed, as far as that is worth it
//   message          one copy: where its bytes lie (`stored` octets of them, `length` where null), and what the parser of
//                    version `parser` read of it (header, structure, bare line feeds). `refs` counts mailboxes and queue rows
//   appended         messages that clients have brought, by the first octets of their hash: the same bytes are one copy
//   account          bound to a directory entry's UUID, never to its name; a UUID is unique in its tenant. `furnished` when it
//                    has had its first folders (first-folders.ts)
//   mailbox          INBOX is number 1; uidvalidity comes from a counter that never gives a number twice
//   mailbox_message  a reference to a message with its own uid and flags. `flags` and `keywords` are those of the
//                    mailbox's owner, but \Deleted, which is the folder's: an expunge removes for all readers
//   quota_root       what the accounts of a domain hold together, for a domain with a limit (quota.ts)
//   quota_warned     accounts that are near to their limit, and whether their users are still to be told
//   counter          `parser`: the version at least which all messages had when they were last looked at (reparse.ts);
//                    `vanished`: below this modseq traces of expunged messages have been dropped (collect.ts)
//   doomed_mailbox   deleted, its rows not yet removed: no session reads them any more
//   searched         accounts that have searched the bytes of their mail: they have an index (search-index/)
//   vanished         what was expunged, for sessions and clients that were looking elsewhere
//   acl              what others may do in a mailbox (acl.ts); `identity` is an entry's UUID, or `anyone`
//   reader_status    flags that one who reads a mailbox of another's has set: all but \Deleted, rows only for messages that this
//                    reader has changed (reader-status.ts). An expunge takes them along
//   reader_mailbox   how many of those have \Seen, and the modseq of the last change
//   url_key          what an account signs URLs of messages with, a key for each mailbox in which it has done so (url-keys.ts)
//   metadata         notes on a mailbox (metadata.ts): those of a reader, or everybody's with the reader 0
//   server_metadata  notes of an account on the server
//
// modseq comes from one counter, one step an operation: it grows over each account and mailbox, without being dense.

import type { Unit } from '../database/format.ts';
import type { MigrationConnection } from '../database/operation.ts';
import { convertMessages } from './format-1.ts';
import { freeForeignNames } from './own-names.ts';

export const storeUnit: Unit = {
  name: 'store',
  migrations: [
    {
      version: 1,
      statements: [
        'CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID',
        // Seconds since 1970: a store made anew gives other numbers than the one it replaces.
        "INSERT INTO counter (name, value) VALUES ('uidvalidity', unixepoch()), ('modseq', 1)",
        `CREATE TABLE segment (
          id INTEGER PRIMARY KEY,
          thread INTEGER NOT NULL,
          opened INTEGER NOT NULL,
          closed INTEGER,
          bytes INTEGER
        )`,
        `CREATE TABLE message (
          id INTEGER PRIMARY KEY,
          segment INTEGER NOT NULL,
          offset INTEGER NOT NULL,
          length INTEGER NOT NULL,
          hash BLOB NOT NULL,
          codec INTEGER NOT NULL,
          received INTEGER NOT NULL,
          trace_bytes INTEGER NOT NULL,
          envelope TEXT NOT NULL,
          structure TEXT NOT NULL,
          refs INTEGER NOT NULL
        )`,
        'CREATE INDEX message_segment ON message (segment)',
        `CREATE TABLE account (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          tenant INTEGER NOT NULL,
          uuid TEXT NOT NULL UNIQUE,
          created INTEGER NOT NULL,
          next_mailbox INTEGER NOT NULL
        )`,
        `CREATE TABLE mailbox (
          account INTEGER NOT NULL,
          id INTEGER NOT NULL,
          name TEXT NOT NULL,
          uidvalidity INTEGER NOT NULL,
          uidnext INTEGER NOT NULL,
          modseq INTEGER NOT NULL,
          messages INTEGER NOT NULL,
          unseen INTEGER NOT NULL,
          bytes INTEGER NOT NULL,
          recent_from INTEGER NOT NULL,
          selectable INTEGER NOT NULL,
          special_use TEXT,
          PRIMARY KEY (account, id)
        ) WITHOUT ROWID`,
        'CREATE UNIQUE INDEX mailbox_name ON mailbox (account, name)',
        `CREATE TABLE mailbox_message (
          account INTEGER NOT NULL,
          mailbox INTEGER NOT NULL,
          uid INTEGER NOT NULL,
          message INTEGER NOT NULL,
          flags INTEGER NOT NULL,
          keywords TEXT,
          modseq INTEGER NOT NULL,
          touched INTEGER NOT NULL,
          internal_date INTEGER NOT NULL,
          saved INTEGER NOT NULL,
          size INTEGER NOT NULL,
          PRIMARY KEY (account, mailbox, uid)
        ) WITHOUT ROWID`,
        // New messages are found by uid; only what changed afterwards pays for an index.
        'CREATE INDEX mailbox_message_touched ON mailbox_message (account, mailbox, modseq) WHERE touched = 1',
        `CREATE TABLE vanished (
          account INTEGER NOT NULL,
          mailbox INTEGER NOT NULL,
          modseq INTEGER NOT NULL,
          uid INTEGER NOT NULL,
          PRIMARY KEY (account, mailbox, modseq, uid)
        ) WITHOUT ROWID`,
        'CREATE INDEX vanished_modseq ON vanished (modseq)',
        `CREATE TABLE keyword (
          account INTEGER NOT NULL,
          mailbox INTEGER NOT NULL,
          name TEXT NOT NULL COLLATE NOCASE,
          PRIMARY KEY (account, mailbox, name)
        ) WITHOUT ROWID`,
        `CREATE TABLE doomed_mailbox (
          account INTEGER NOT NULL,
          mailbox INTEGER NOT NULL,
          PRIMARY KEY (account, mailbox)
        ) WITHOUT ROWID`,
        `CREATE TABLE subscription (
          account INTEGER NOT NULL,
          name TEXT NOT NULL,
          PRIMARY KEY (account, name)
        ) WITHOUT ROWID`,
      ],
    },
    {
      version: 2,
      statements: [
        'ALTER TABLE message RENAME COLUMN envelope TO header',
        // What format 1 stored of a message counts as version 1.
        'ALTER TABLE message ADD COLUMN parser INTEGER NOT NULL DEFAULT 1',
        "INSERT INTO counter (name, value) VALUES ('parser', 1)",
        // A constraint cannot be dropped: the table is made again, and goes on counting where it was.
        `CREATE TABLE account_of_tenant (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          tenant INTEGER NOT NULL,
          uuid TEXT NOT NULL,
          created INTEGER NOT NULL,
          next_mailbox INTEGER NOT NULL,
          UNIQUE (tenant, uuid)
        )`,
        `INSERT INTO account_of_tenant (id, tenant, uuid, created, next_mailbox)
         SELECT id, tenant, uuid, created, next_mailbox FROM account`,
        "DELETE FROM sqlite_sequence WHERE name = 'account_of_tenant'",
        `INSERT INTO sqlite_sequence (name, seq)
         SELECT 'account_of_tenant', seq FROM sqlite_sequence WHERE name = 'account'`,
        'DROP TABLE account',
        'ALTER TABLE account_of_tenant RENAME TO account',
      ],
      run: convertMessages,
      rewrites: true,
    },
    {
      version: 3,
      statements: [
        // Messages that an older parser has read get theirs when they are parsed again.
        'ALTER TABLE message ADD COLUMN bare_lf INTEGER NOT NULL DEFAULT 0',
        'CREATE INDEX message_bare_lf ON message (id, bare_lf) WHERE bare_lf > 0',
      ],
    },
    {
      version: 4,
      statements: [
        // A domain whose accounts together have a limit: what they hold.
        `CREATE TABLE quota_root (
          id INTEGER PRIMARY KEY,
          name TEXT NOT NULL UNIQUE,
          octets INTEGER NOT NULL DEFAULT 0,
          messages INTEGER NOT NULL DEFAULT 0
        )`,
        'ALTER TABLE mailbox ADD COLUMN quota_root INTEGER',
        'CREATE INDEX mailbox_quota_root ON mailbox (quota_root, account) WHERE quota_root IS NOT NULL',
        // Whatever changes a mailbox moves the counter in its transaction; a mailbox that counts for no domain writes nothing more.
        `CREATE TRIGGER quota_moved AFTER UPDATE OF bytes, messages ON mailbox
         WHEN NEW.quota_root IS NOT NULL AND NEW.quota_root IS OLD.quota_root BEGIN
           UPDATE quota_root SET octets = octets + NEW.bytes - OLD.bytes, messages = messages + NEW.messages - OLD.messages
           WHERE id = NEW.quota_root;
         END`,
        `CREATE TRIGGER quota_set AFTER UPDATE OF quota_root ON mailbox WHEN NEW.quota_root IS NOT OLD.quota_root BEGIN
           UPDATE quota_root SET octets = octets - OLD.bytes, messages = messages - OLD.messages WHERE id = OLD.quota_root;
           UPDATE quota_root SET octets = octets + NEW.bytes, messages = messages + NEW.messages WHERE id = NEW.quota_root;
         END`,
        `CREATE TRIGGER quota_made AFTER INSERT ON mailbox WHEN NEW.id <> 1 AND NEW.quota_root IS NULL BEGIN
           UPDATE mailbox SET quota_root = (SELECT quota_root FROM mailbox WHERE account = NEW.account AND id = 1)
           WHERE account = NEW.account AND id = NEW.id;
         END`,
        `CREATE TRIGGER quota_gone AFTER DELETE ON mailbox WHEN OLD.quota_root IS NOT NULL BEGIN
           UPDATE quota_root SET octets = octets - OLD.bytes, messages = messages - OLD.messages WHERE id = OLD.quota_root;
         END`,
      ],
    },
    {
      version: 5,
      statements: [
        // Who has come near to the own limit; `due` while the warning is to be made.
        'CREATE TABLE quota_warned (account INTEGER PRIMARY KEY, due INTEGER NOT NULL)',
        'CREATE INDEX quota_warned_due ON quota_warned (account) WHERE due = 1',
      ],
    },
    {
      version: 6,
      // See first-folders.ts.
      statements: ['ALTER TABLE account ADD COLUMN furnished INTEGER NOT NULL DEFAULT 0'],
    },
    {
      version: 7,
      statements: [
        // Length of the bytes as they lie in the segment; null: `length`.
        'ALTER TABLE message ADD COLUMN stored INTEGER',
        'ALTER TABLE segment ADD COLUMN dead INTEGER NOT NULL DEFAULT 0',
        'ALTER TABLE segment ADD COLUMN counted INTEGER NOT NULL DEFAULT 0',
        'ALTER TABLE segment ADD COLUMN stuck INTEGER NOT NULL DEFAULT 0',
        'ALTER TABLE segment ADD COLUMN packed INTEGER NOT NULL DEFAULT 0',
        'CREATE INDEX segment_uncounted ON segment (id) WHERE counted = 0',
        'CREATE INDEX segment_sparse ON segment (dead * 1000 / bytes) WHERE counted = 1 AND stuck = 0 AND dead * 4 >= bytes',
        'CREATE INDEX segment_plain ON segment (closed) WHERE counted = 1 AND stuck = 0 AND packed = 0',
      ],
    },
    { version: 8, statements: [], run: freeForeignNames },
    {
      version: 9,
      // See search-index/searched.ts.
      statements: [
        `CREATE TABLE searched (
          account INTEGER PRIMARY KEY,
          at INTEGER NOT NULL,
          damaged INTEGER NOT NULL,
          behind INTEGER NOT NULL,
          since INTEGER
        )`,
      ],
    },
    {
      version: 10,
      statements: [
        'CREATE TABLE appended (hash BLOB NOT NULL, message INTEGER NOT NULL, PRIMARY KEY (hash, message)) WITHOUT ROWID',
      ],
    },
    {
      version: 11,
      statements: [
        `CREATE TABLE acl (
          owner INTEGER NOT NULL,
          mailbox INTEGER NOT NULL,
          identity TEXT NOT NULL,
          negative INTEGER NOT NULL,
          rights TEXT NOT NULL,
          PRIMARY KEY (owner, mailbox, identity, negative)
        ) WITHOUT ROWID`,
        'CREATE INDEX acl_identity ON acl (identity)',
        "INSERT INTO counter (name, value) VALUES ('rights', 1)",
        `CREATE TABLE reader_status (
          owner INTEGER NOT NULL,
          mailbox INTEGER NOT NULL,
          reader INTEGER NOT NULL,
          uid INTEGER NOT NULL,
          flags INTEGER NOT NULL,
          keywords TEXT,
          modseq INTEGER NOT NULL,
          PRIMARY KEY (owner, mailbox, reader, uid)
        ) WITHOUT ROWID`,
        'CREATE INDEX reader_status_modseq ON reader_status (owner, mailbox, reader, modseq)',
        'CREATE INDEX reader_status_uid ON reader_status (owner, mailbox, uid, flags)',
        `CREATE TABLE reader_mailbox (
          owner INTEGER NOT NULL,
          mailbox INTEGER NOT NULL,
          reader INTEGER NOT NULL,
          seen INTEGER NOT NULL,
          modseq INTEGER NOT NULL,
          PRIMARY KEY (owner, mailbox, reader)
        ) WITHOUT ROWID`,
        // Whatever takes a message out of a mailbox takes along what readers have set; where none has, it writes nothing more.
        `CREATE TRIGGER reader_status_gone AFTER DELETE ON mailbox_message
         WHEN EXISTS (SELECT 1 FROM reader_mailbox WHERE owner = OLD.account AND mailbox = OLD.mailbox) BEGIN
           UPDATE reader_mailbox SET seen = seen - 1 WHERE owner = OLD.account AND mailbox = OLD.mailbox AND reader IN
             (SELECT reader FROM reader_status WHERE owner = OLD.account AND mailbox = OLD.mailbox AND uid = OLD.uid
              AND flags & 1 = 1);
           DELETE FROM reader_status WHERE owner = OLD.account AND mailbox = OLD.mailbox AND uid = OLD.uid;
         END`,
      ],
    },
    {
      version: 12,
      statements: [
        `CREATE TABLE url_key (
          account INTEGER NOT NULL,
          owner INTEGER NOT NULL,
          mailbox INTEGER NOT NULL,
          key BLOB NOT NULL,
          PRIMARY KEY (account, owner, mailbox)
        ) WITHOUT ROWID`,
        'CREATE INDEX url_key_mailbox ON url_key (owner, mailbox)',
      ],
    },
    {
      version: 13,
      statements: [
        // Values are long: without a rowid each look at a name would walk over them.
        `CREATE TABLE metadata (
          owner INTEGER NOT NULL,
          mailbox INTEGER NOT NULL,
          reader INTEGER NOT NULL,
          entry TEXT NOT NULL,
          value BLOB NOT NULL,
          PRIMARY KEY (owner, mailbox, reader, entry)
        )`,
        'CREATE INDEX metadata_reader ON metadata (reader, owner)',
        `CREATE TABLE server_metadata (
          account INTEGER NOT NULL,
          entry TEXT NOT NULL,
          value BLOB NOT NULL,
          PRIMARY KEY (account, entry)
        )`,
        `CREATE TRIGGER metadata_gone AFTER DELETE ON mailbox BEGIN
           DELETE FROM metadata WHERE owner = OLD.account AND mailbox = OLD.id;
         END`,
      ],
    },
  ],
};

/** Copies, of any format. */
export function countMessages(connection: Pick<MigrationConnection, 'get'>): number {
  return Number(connection.get('SELECT count(*) AS n FROM message')?.['n']);
}
