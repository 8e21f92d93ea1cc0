// A search that takes long says how far it is, by a clock on which each look takes ten seconds. RFC 9585

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineConnection } from '../../demo/clients/line-connection.ts';
import { openTestImap } from './testing.ts';

test('a long search says each ten seconds how many messages are done', async () => {
  let now = 0;
  const clock = { now: () => Date.now(), monotonic: () => (now += 10_000) };
  const imap = await openTestImap({ clock });
  try {
    await imap.addAccount('ann', 'secret');
    const client = await LineConnection.open(imap.host, imap.port);
    let tag = 0;
    const command = async (text: string): Promise<string[]> => {
      client.write(`t${++tag} ${text}\r\n`);
      const lines: string[] = [];
      for (;;) {
        const line = await client.line();
        if (line.startsWith(`t${tag} `)) return lines;
        lines.push(line);
      }
    };
    await client.line();
    await command('LOGIN ann secret');
    await command('APPEND INBOX {1+}\r\nx');
    await command('SELECT INBOX');
    for (let messages = 1; messages < 1200; messages *= 2) await command('COPY 1:* INBOX');
    const said = await command('SEARCH RETURN (COUNT) UNDELETED');
    assert.deepEqual(
      said.map((line) => line.replace(/\] .*/, ']')),
      [
        ...[500, 1000, 1500, 2000].map((done) => `* OK [INPROGRESS ("t${tag}" ${done} 2048)]`),
        `* ESEARCH (TAG "t${tag}") COUNT 2048`,
      ],
    );
    client.destroy();
  } finally {
    await imap.close();
  }
});
