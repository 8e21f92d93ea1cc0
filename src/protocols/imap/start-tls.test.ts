// From another host: what is offered before STARTTLS and behind it, which transcripts from this host cannot show.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineConnection } from '../../demo/clients/line-connection.ts';
import { openTestImap } from './testing.ts';

test('from elsewhere a login is announced and taken in TLS alone', async (context) => {
  const imap = await openTestImap({ isPrivate: false });
  context.after(() => imap.close());
  await imap.addAccount('alice@acme.example', 'secret');
  const connection = await LineConnection.open(imap.host, imap.port);
  context.after(() => connection.destroy());
  assert.match(
    await connection.line(),
    /^\* OK \[CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL\+ ID ENABLE STARTTLS LOGINDISABLED/,
  );
  connection.write('a LOGIN alice@acme.example secret\r\nb AUTHENTICATE PLAIN\r\nc STARTTLS\r\n');
  assert.match(await connection.line(), /^a NO \[PRIVACYREQUIRED\] /);
  assert.match(await connection.line(), /^b NO \[PRIVACYREQUIRED\] /);
  assert.match(await connection.line(), /^c OK /);
  const secure = await connection.secured({ servername: 'localhost', ca: imap.ca });
  context.after(() => secure.destroy());
  secure.write('d CAPABILITY\r\ne LOGIN alice@acme.example secret\r\n');
  assert.match(await secure.line(), /^\* CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL\+ ID ENABLE SASL-IR .*AUTH=PLAIN /);
  assert.match(await secure.line(), /^d OK /);
  assert.match(await secure.line(), /^e OK /);
});
