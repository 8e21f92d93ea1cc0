// The queue and the journey: what is still to be done with a message, and what has happened to it.
//
// A queue row is one recipient of one message on one channel. Its legal states:
//
//   state     channel          next_attempt     lease  meaning
//   waiting   any              0, or when due   0      no channel works on it; 0 is "at once", whatever the clock says
//   waiting   of other hosts   as before        > 0    the channel works on it; void at a restart
//   held      any              0                0      until it is released; `held_by` says who may:
//             a kind `hold`                            `routing`, `custody`: `destination` is the row of the routing tables that it
//                                                      waits for (release.ts); `admin`, `moderation`, `suspended`
//   failed    any              0, or when due   0      permanently: the sender gets a report, then the row goes
//   done      any              0, or when due   0      the sender wants to know that it is: as `failed`
//
// `action` is what the report of a failed or done row says has become of it. `release_at` and `deliver_by` are wall clock: before
// the one nothing is tried, at the other it fails or is reported. `delays` counts the reports of its delay, `delay_due` says that
// one is to be made while it waits on. `prefix` are header fields that are sent before the message and stored nowhere. `intent` is what
// a channel has committed before it acts, so that a crash repeats nothing.
//
// `planned` is the directory revision at which its recipient was resolved: targets hold for the tables of then.
//
// `options` holds what the row carries (queue.ts); `sender` and `recipient` repeat of it what lists show and group by.
// `next_attempt` and `last_attempt` are queue time (see clock.ts); `waited` is how long the row has been tried, in ms,
// our own outages not counted: what decides about its expiry. `remote` is the host that said `last_error`.
//
// A journey row is one transaction's events of one message, one JSON array, written in the transaction that makes
// them true; pruned by age and number. What `waypost trace` reads.

import { randomBytes } from 'node:crypto';
import type { Unit } from '../database/format.ts';
import { MADE_CHANNEL } from './channels/made.ts';
import { migrateQueueToFormat2 } from './format-2.ts';

export const transferUnit: Unit = {
  name: 'transfer',
  migrations: [
    {
      version: 1,
      statements: [
        `CREATE TABLE queue (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          tenant INTEGER NOT NULL,
          message INTEGER NOT NULL,
          channel TEXT NOT NULL,
          destination TEXT NOT NULL,
          sender TEXT NOT NULL,
          recipient TEXT NOT NULL,
          original TEXT,
          options TEXT NOT NULL,
          state TEXT NOT NULL,
          waits_for TEXT,
          created INTEGER NOT NULL,
          next_attempt INTEGER NOT NULL,
          attempts INTEGER NOT NULL,
          last_attempt INTEGER,
          waited INTEGER NOT NULL,
          lease INTEGER NOT NULL,
          status TEXT,
          remote TEXT,
          last_error TEXT
        )`,
        'CREATE INDEX queue_due ON queue (next_attempt, state, channel, destination) WHERE lease = 0',
        'CREATE INDEX queue_message ON queue (message)',
        `CREATE TABLE journey (
          message INTEGER NOT NULL,
          number INTEGER NOT NULL,
          at INTEGER NOT NULL,
          revision INTEGER NOT NULL,
          message_id TEXT,
          events TEXT NOT NULL,
          PRIMARY KEY (message, number)
        ) WITHOUT ROWID`,
        'CREATE INDEX journey_message_id ON journey (message_id) WHERE message_id IS NOT NULL',
      ],
    },
    { version: 2, run: migrateQueueToFormat2, rewrites: true },
    {
      version: 3,
      statements: [
        'ALTER TABLE queue ADD COLUMN planned INTEGER NOT NULL DEFAULT 0',
        'DROP INDEX queue_due',
        // Covers what schedule asks: rows of a host that has enough to do are passed over without being read.
        `CREATE INDEX queue_due ON queue (next_attempt, state, channel, destination)
           WHERE lease = 0 AND state <> 'held'`,
        "CREATE INDEX queue_held ON queue (destination) WHERE state = 'held'",
        // Whether a channel that somebody has made holds mail; rows of the others are in no index for it.
        `CREATE INDEX queue_channel ON queue (channel) WHERE ${MADE_CHANNEL}`,
      ],
    },
    {
      version: 4,
      statements: [
        // See list-progress.ts.
        `CREATE TABLE list_placed (
          message INTEGER NOT NULL,
          key TEXT NOT NULL,
          PRIMARY KEY (message, key)
        ) WITHOUT ROWID`,
        `CREATE TABLE list_work (
          message INTEGER NOT NULL,
          root INTEGER NOT NULL,
          number INTEGER NOT NULL,
          list INTEGER NOT NULL,
          part TEXT NOT NULL,
          depth INTEGER NOT NULL,
          PRIMARY KEY (message, root, number)
        ) WITHOUT ROWID`,
        'CREATE UNIQUE INDEX list_work_list ON list_work (message, root, list)',
      ],
    },
    {
      // An older program would release what is held, and send again what is done.
      version: 5,
      rewrites: true,
      statements: [
        'ALTER TABLE queue ADD COLUMN held_by TEXT',
        'ALTER TABLE queue ADD COLUMN action TEXT',
        'ALTER TABLE queue ADD COLUMN release_at INTEGER',
        'ALTER TABLE queue ADD COLUMN deliver_by INTEGER',
        'ALTER TABLE queue ADD COLUMN priority INTEGER NOT NULL DEFAULT 0',
        'ALTER TABLE queue ADD COLUMN delays INTEGER NOT NULL DEFAULT 0',
        'ALTER TABLE queue ADD COLUMN delay_due INTEGER NOT NULL DEFAULT 0',
        'ALTER TABLE queue ADD COLUMN prefix TEXT',
        'ALTER TABLE queue ADD COLUMN intent TEXT',
        "UPDATE queue SET held_by = 'routing' WHERE state = 'held'",
        "UPDATE queue SET action = 'failed' WHERE state = 'failed'",
        'DROP INDEX queue_due',
        `CREATE INDEX queue_due ON queue (next_attempt, state, channel, destination)
           WHERE lease = 0 AND state <> 'held' AND release_at IS NULL`,
        'DROP INDEX queue_held',
        "CREATE INDEX queue_held ON queue (destination) WHERE held_by = 'routing'",
        'CREATE INDEX queue_delay ON queue (id) WHERE delay_due = 1',
        'CREATE INDEX queue_release ON queue (release_at) WHERE release_at IS NOT NULL',
        "CREATE INDEX queue_by ON queue (deliver_by) WHERE deliver_by IS NOT NULL AND state = 'waiting'",
        // What was accepted under a name of the client's, and what was answered: accept-once.ts.
        `CREATE TABLE accepted_once (
          kind TEXT NOT NULL,
          owner TEXT NOT NULL,
          key TEXT NOT NULL,
          hash BLOB,
          at INTEGER NOT NULL,
          answer TEXT NOT NULL,
          PRIMARY KEY (kind, owner, key)
        ) WITHOUT ROWID`,
        'CREATE INDEX accepted_once_at ON accepted_once (at)',
        // Who has had an automatic reply of an account, and which text.
        `CREATE TABLE replied (
          tenant INTEGER NOT NULL,
          account INTEGER NOT NULL,
          sender TEXT NOT NULL,
          hash BLOB NOT NULL,
          at INTEGER NOT NULL,
          PRIMARY KEY (tenant, account, sender)
        ) WITHOUT ROWID`,
        'CREATE INDEX replied_at ON replied (at)',
        // One row: what the addresses are signed with that mean more than they say (routing/tokens.ts).
        'CREATE TABLE mail_secret (id INTEGER PRIMARY KEY CHECK (id = 1), secret BLOB NOT NULL)',
      ],
      run: (connection) => {
        connection.run('INSERT INTO mail_secret (id, secret) VALUES (1, ?)', randomBytes(32));
      },
    },
    {
      version: 6,
      statements: ["CREATE INDEX queue_custody ON queue (destination, created) WHERE held_by = 'custody'"],
    },
  ],
};
