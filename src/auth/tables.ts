// What auth keeps beside the directory: where each account has logged in; what SCRAM needs.

import { randomBytes } from 'node:crypto';
import type { Unit } from '../database/format.ts';

export const authUnit: Unit = {
  name: 'auth',
  migrations: [
    {
      version: 1,
      statements: [
        `CREATE TABLE known_client (
          tenant INTEGER NOT NULL,
          uuid TEXT NOT NULL,
          client TEXT NOT NULL,
          seen INTEGER NOT NULL,
          PRIMARY KEY (tenant, uuid, client)
        ) WITHOUT ROWID`,
        'CREATE INDEX known_client_seen ON known_client (seen)',
      ],
    },
    {
      version: 2,
      // One row: user entries that have a password without keys for SCRAM, and what the salts of unknown names are made with.
      statements: [
        'CREATE TABLE scram (id INTEGER PRIMARY KEY CHECK (id = 1), without INTEGER NOT NULL, secret BLOB NOT NULL) STRICT',
      ],
      run: (connection) => {
        connection.run('INSERT INTO scram (id, without, secret) VALUES (1, 0, ?)', randomBytes(32));
      },
    },
  ],
};
