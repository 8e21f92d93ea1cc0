// Addresses beyond ASCII through the whole program: in the directory, at login, in SMTP from a peer's library, and out to hosts
// with SMTPUTF8 and without.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { connect } from 'node:net';
import { test } from 'node:test';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { createTestEstate } from '../src/estate/estate.ts';
import { administrator, populate, replaceAttribute, userDn } from './support/directory.ts';
import { Lines } from './support/lines.ts';
import { until } from './support/until.ts';

/** As octets, a character each. */
const octets = (text: string): string => Buffer.from(text).toString('latin1');

/** Python's own client: it says SMTPUTF8 and sends the header in UTF-8. */
const SMTPLIB = `
import smtplib, sys
from email.message import EmailMessage
from email.policy import SMTPUTF8
host, port = sys.argv[1], int(sys.argv[2])
message = EmailMessage(policy=SMTPUTF8)
message['From'] = 'zo\\u00eb@b\\u00fccher.example'
message['To'] = 'zo\\u00eb@acme.example'
message['Subject'] = 'Gr\\u00fc\\u00dfe'
message.set_content('hi')
with smtplib.SMTP(host, port) as client:
    client.send_message(message)
`;

test('an address beyond ASCII is one like others', async (context) => {
  await using estate = await createTestEstate();
  const wide = await estate.remoteHost('wide.example', { extensions: ['PIPELINING', '8BITMIME', 'SMTPUTF8'] });
  const narrow = await estate.remoteHost('narrow.example', { extensions: ['PIPELINING', '8BITMIME'] });
  await populate(estate, 'acme.example', ['ann']);
  const directory = await administrator(estate);
  await replaceAttribute(directory, userDn('ann@acme.example'), 'mailAlternateAddress', ['Zoe\u0308@acme.example']);
  await directory.unbind();
  const { smtp, submission, imap } = estate.listeners;
  const inbox = async (): Promise<string[]> => {
    const client = await ImapClient.login(imap, 'ann@acme.example', 'secret');
    const messages = await client.fetchAll();
    await client.logout();
    return messages.map(({ body }) => body.toString('utf8'));
  };

  await context.test('a library that knows SMTPUTF8 delivers to it', async () => {
    execFileSync('python3', ['-c', SMTPLIB, smtp.host, String(smtp.port)]);
    const [text] = await inbox();
    assert.match(text!, /^Return-Path: <zo\u00eb@xn--bcher-kva\.example>\r\n/);
    assert.match(text!, /with UTF8SMTP id .*\r\n\tfor <zo\u00eb@acme\.example>;/);
    assert.match(text!, /^Subject: Gr\u00fc\u00dfe\r$/m);
  });

  await context.test('its user logs in by it, sends from it, and hosts get what they can take', async () => {
    const lines = new Lines(connect(submission));
    await lines.until('220 ');
    await lines.command('EHLO client.example', '250 ');
    const plain = Buffer.from('\0ZO\u00cb@acme.example\0secret').toString('base64');
    await lines.command(`AUTH PLAIN ${plain}`, '235 ');
    for (const domain of ['wide.example', 'narrow.example']) {
      await lines.command('MAIL FROM:<zo\u00eb@acme.example> SMTPUTF8', '250 ');
      await lines.command(`RCPT TO:<j\u00fcrgen@${domain}>`, '250 ');
      await lines.command('DATA', '354 ');
      await lines.command('Subject: x\r\n\r\nx\r\n.', '250 ');
    }
    // Nothing but the header is beyond ASCII.
    await lines.command('MAIL FROM:<ann@acme.example> SMTPUTF8', '250 ');
    await lines.command('RCPT TO:<bob@narrow.example>', '250 ');
    await lines.command('DATA', '354 ');
    await lines.command('Subject: Gr\u00fc\u00dfe\r\n\r\nx\r\n.', '250 ');
    lines.close();
    await until('the messages', () => wide.messages.length === 1 && narrow.messages.length === 1);
    assert.equal(wide.messages[0]!.sender, octets('zo\u00eb@acme.example'));
    assert.deepEqual(wide.messages[0]!.recipients, [octets('j\u00fcrgen@wide.example')]);
    assert.match(wide.messages[0]!.parameters, / SMTPUTF8$/);
    assert.match(narrow.messages[0]!.data, /^Subject: =\?utf-8\?/im);
    assert.doesNotMatch(narrow.messages[0]!.parameters, /SMTPUTF8/);
    await until('the report', async () => (await inbox()).some((text) => /^Status: 5\.6\.7\r$/m.test(text)));
  });

  await context.test('a domain is the same at login, in its letters and as DNS has it', async () => {
    await populate(estate, 'xn--bcher-kva.example', ['ann']);
    for (const name of ['ann@xn--bcher-kva.example', 'ann@b\u00fccher.example', 'ANN@Bu\u0308CHER.example']) {
      const lines = new Lines(connect(submission));
      await lines.until('220 ');
      await lines.command('EHLO client.example', '250 ');
      await lines.command(`AUTH PLAIN ${Buffer.from(`\0${name}\0secret`).toString('base64')}`, '235 ');
      await lines.command('MAIL FROM:<ann@b\u00fccher.example> SMTPUTF8', '250 ');
      lines.close();
    }
  });
});
