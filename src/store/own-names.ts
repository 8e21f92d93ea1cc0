// Mailboxes whose names have come to mean other people's get others: `Shared` becomes `Shared (1)`, with all below it.
//
// In      rows of stores from before names of other people's mailboxes
// Out     the same mailboxes and subscriptions under names that are free

import type { MigrationConnection } from '../database/operation.ts';

/** As they were fixed at this step. */
const TAKEN = ['Other Users', 'Shared'];

export function freeForeignNames(connection: MigrationConnection): void {
  for (const taken of TAKEN) {
    // "0" is the character behind "/".
    const range = [taken, `${taken}/`, `${taken}0`];
    const accounts = connection.arrays(
      `SELECT account FROM mailbox WHERE name = ? OR (name > ? AND name < ?)
       UNION SELECT account FROM subscription WHERE name = ? OR (name > ? AND name < ?)`,
      ...range,
      ...range,
    );
    for (const [account] of accounts) {
      const name = freeName(connection, Number(account), taken);
      for (const table of ['mailbox', 'subscription'])
        connection.run(
          `UPDATE ${table} SET name = ? || substr(name, ?) WHERE account = ? AND (name = ? OR (name > ? AND name < ?))`,
          ...[name, taken.length + 1, account!, ...range],
        );
    }
  }
}

function freeName(connection: MigrationConnection, account: number, taken: string): string {
  for (let n = 1; ; n++) {
    const name = `${taken} (${n})`;
    const found = connection.get(
      `SELECT 1 FROM mailbox WHERE account = ? AND (name = ? OR (name > ? AND name < ?))
       UNION SELECT 1 FROM subscription WHERE account = ? AND (name = ? OR (name > ? AND name < ?))`,
      ...[account, name, `${name}/`, `${name}0`],
      ...[account, name, `${name}/`, `${name}0`],
    );
    if (found === undefined) return name;
  }
}
