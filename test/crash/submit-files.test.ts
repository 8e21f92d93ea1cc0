// What local programs have handed in, under kill -9: each file is one message. Kills at random moments are the ledger's (ways.ts);
// here is the one moment that it does not meet, between the commit and the end of the file.

import assert from 'node:assert/strict';
import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ImapClient } from '../../src/demo/clients/imap-client.ts';
import { type Person, populate } from '../support/directory.ts';
import { startWaypost, type Waypost } from '../support/server.ts';
import { until } from '../support/until.ts';

const PATIENCE_MS = 120_000;

function fileOf(name: string): string {
  return `MAIL FROM:<cron@local.example>\r\nRCPT TO:<ann@acme.example>\r\n\x01\x01\r\nSubject: ${name}\r\n\r\ntext\r\n`;
}

/** As sendmail writes it: under another name first. */
function handIn(folder: string, name: string): void {
  writeFileSync(join(folder, `.${name}`), fileOf(name));
  renameSync(join(folder, `.${name}`), join(folder, name));
}

async function subjects(server: Waypost, ann: Person): Promise<string[]> {
  const client = await ImapClient.login(server.listeners.imap, ann.login, ann.password);
  const messages = await client.fetchAll();
  await client.logout();
  return messages.map(({ body }) => /\r\nSubject: (.*)\r\n/.exec(body.toString('latin1'))![1]!).sort();
}

/** Without `bad/`, which is there from the start. */
const filesIn = (folder: string): number => readdirSync(folder).filter((name) => name !== 'bad').length;
const isEmpty = (folder: string): boolean => filesIn(folder) === 0;

test('a file that a kill left behind its commit is no second message', async () => {
  const server = await startWaypost();
  try {
    const [ann] = (await populate(server, 'acme.example', ['ann'])) as [Person];
    const folder = join(server.data, 'submit');
    handIn(folder, 'once');
    await until('the file is taken', () => isEmpty(folder), PATIENCE_MS);
    await server.kill9();
    // As it stood there between the commit and its removal.
    handIn(folder, 'once');
    handIn(folder, 'other');
    await server.restart();
    await until('both are taken', () => isEmpty(folder), PATIENCE_MS);
    assert.deepEqual(await subjects(server, ann), ['once', 'other']);
  } finally {
    await server.stop();
  }
});
