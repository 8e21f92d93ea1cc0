// A start of another version's code: what is derived from entries is derived anew before the first door opens.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { SmtpClient } from '../../src/demo/clients/smtp-client.ts';
import { derived } from '../../src/server/units.ts';
import { populate } from '../support/directory.ts';
import { startWaypost } from '../support/server.ts';

test('rows of a program that is not this one are compiled anew, and standard error says what and how far', async () => {
  await using server = await startWaypost();
  await populate(server, 'acme.example', ['ann', 'ben']);
  assert.doesNotMatch(server.stderr(), /compiling/, 'a new store has today’s versions');
  await server.kill9();

  // A newer program has been here, and it spelled addresses otherwise.
  const database = new DatabaseSync(join(server.data, 'store.db'));
  database.exec('UPDATE derived SET version = 99');
  database.exec("UPDATE alias SET address = 'not-' || address WHERE address = 'ann@acme.example'");
  database.close();
  await server.restart();

  for (const { name, version } of derived) {
    // How many entries it is depends on the table: zones come from those of domains alone.
    const said = new RegExp(`^compiling ${name} \\(version 99 to ${version}\\): (\\d+) of \\1 entries$`, 'm');
    await server.said(said);
  }
  const smtp = await SmtpClient.open(server.listeners.smtp);
  await smtp.send('carol@remote.example', ['ann@acme.example'], Buffer.from('Subject: compiled\r\n\r\nanew\r\n'));
  await smtp.command('MAIL FROM:<carol@remote.example>');
  assert.equal((await smtp.command('RCPT TO:<not-ann@acme.example>')).code, 550);
  await smtp.quit();

  const said = server.stderr().length;
  await server.restart();
  assert.doesNotMatch(server.stderr().slice(said), /compiling/);
});
