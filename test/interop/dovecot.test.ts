// Waypost hands mail on to Dovecot's LMTP by a channel of that kind: the mailboxes there are somebody else's, the way to them ours.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createTransport } from 'nodemailer';
import { AdminClient } from '../../src/cli/client.ts';
import { ImapClient } from '../../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../../src/demo/clients/smtp-client.ts';
import { administrator, type Person, populate } from '../support/directory.ts';
import { freePort } from '../support/free-ports.ts';
import { startWaypost, type Waypost } from '../support/server.ts';
import { until } from '../support/until.ts';
import { besideMissing } from './beside.ts';
import type { BesideServer } from './beside-server.ts';
import { DOVECOT_PACKAGES, startDovecot } from './dovecot.ts';

const PATIENCE_MS = 120_000;

describe('Dovecot', { skip: besideMissing(...DOVECOT_PACKAGES) }, () => {
  let dovecot: BesideServer;
  let server: Waypost;
  let ann: Person;
  before(async () => {
    const port = await freePort();
    [dovecot, server] = await Promise.all([startDovecot(port), startWaypost()]);
    [ann] = (await populate(server, 'acme.example', ['ann'])) as [Person];
    const ldap = await administrator(server);
    await ldap.add('cn=local,ou=Channels,ou=Waypost,o=internet', {
      ...{ objectClass: 'waypostChannel', cn: 'local', waypostChannelKind: 'lmtp' },
      waypostKeyword: `daemon [127.0.0.1]:${port}`,
    });
    await ldap.add('cn=dovecot,ou=Rules,ou=Waypost,o=internet', {
      ...{ objectClass: 'waypostRewriteRule', cn: 'dovecot' },
      ...{ waypostPattern: 'dovecot.example', waypostTemplate: '$U%dovecot.example@local' },
    });
    await ldap.unbind();
  });
  after(async () => {
    await server?.stop();
    await dovecot?.stop();
  });

  const delivered = async (what: string, count: number): Promise<void> => {
    await until(what, () => dovecot.delivered().split(`Subject: ${what}`).length > count, PATIENCE_MS).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}\n${dovecot.log().slice(-4000)}\n${server.stderr().slice(-2000)}`);
      },
    );
  };

  test('two recipients of one message each have their own reply', async () => {
    const client = await SmtpClient.open(server.listeners.submission, ann);
    const text = 'From: ann@acme.example\r\nSubject: by a channel\r\n\r\n.dot\r\n';
    await client.send(ann.login, ['joe@dovecot.example', 'jim@dovecot.example'], Buffer.from(text));
    await client.quit();
    await delivered('by a channel', 2);
    assert.match(dovecot.delivered(), /\bwith LMTP/);
    assert.match(dovecot.delivered(), /\n\.dot\r?\n/);
    const admin = new AdminClient(server.data);
    await until('an empty queue', async () => (await admin.call('queue.list', {})).length === 0, PATIENCE_MS);
  });

  test('what it takes is delivered: a report of success says so, and is ours', async () => {
    const transport = createTransport({
      ...{ host: '127.0.0.1', port: server.listeners.submission.port, tls: { rejectUnauthorized: false } },
      auth: { user: ann.login, pass: ann.password },
    });
    await transport.sendMail({
      ...{ from: ann.login, to: 'joe@dovecot.example', subject: 'with a report', text: 'Text.' },
      dsn: { id: 'q1', return: 'headers', notify: 'success', recipient: 'joe@dovecot.example' },
    });
    transport.close();
    await delivered('with a report', 1);
    const reports = async (): Promise<string[]> => {
      const client = await ImapClient.login(server.listeners.imap, ann.login, ann.password);
      const messages = await client.fetchAll();
      await client.logout();
      return messages.map(({ body }) => body.toString('latin1'));
    };
    await until('the report', async () => (await reports()).length === 1, PATIENCE_MS);
    const [report] = await reports();
    assert.match(report!, /\r\nOriginal-Envelope-Id: q1\r\n/);
    assert.match(report!, /\r\nFinal-Recipient: rfc822; ?joe@dovecot\.example\r\nAction: delivered\r\n/);
  });
});
