// What auth remembers beside the directory: where each account has logged in.

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
  ],
};
