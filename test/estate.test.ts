// `waypost/testing`: what a program's tests do with an estate.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { test } from 'node:test';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { createTestEstate } from '../src/estate/estate.ts';

const LDIF = `dn: dc=acme,dc=example,o=internet
objectClass: domain
objectClass: inetDomain
objectClass: mailDomain
dc: acme

dn: uid=bob,ou=People,dc=acme,dc=example,o=internet
objectClass: inetOrgPerson
objectClass: inetUser
objectClass: inetMailUser
objectClass: inetLocalMailRecipient
uid: bob
cn: Bob Example
sn: Example
mail: bob@acme.example
`;

test('mail in, mail out to a host that the test plays, and the seed again on the same ports', async () => {
  let data: string;
  {
    await using estate = await createTestEstate({ ldif: LDIF, users: { 'ann@acme.example': 'secret' } });
    ({ data } = estate);
    const send = async (to: string, subject: string): Promise<void> => {
      const door = { host: estate.host, port: estate.ports.submission };
      const client = await SmtpClient.open(door, { login: 'ann@acme.example', password: 'secret' });
      await client.send('ann@acme.example', [to], Buffer.from(`Subject: ${subject}\r\n\r\n.x\r\n`));
      await client.quit();
    };
    const host = await estate.remoteHost('remote.example', { rcpt: ['451 4.2.1 later', '250 ok'] });
    await send('rex@remote.example', '=?utf-8?B?R3LDvMOfZQ==?=');
    const out = await host.waitForMessage({ subject: 'Grüße', timeoutMs: 60_000 });
    assert.deepEqual([out.sender, out.recipients], ['ann@acme.example', ['rex@remote.example']]);
    assert.ok(out.raw.toString().endsWith('\r\n\r\n.x\r\n'));
    assert.equal(host.commands.filter((line) => line.startsWith('RCPT')).length, 2);
    // A user of the LDIF, whose password nobody knows.
    await send('bob@acme.example', 'hi there');
    const got = await estate.waitForMessage('bob@acme.example', { subject: /hi/, timeoutMs: 60_000 });
    assert.equal(got.header('subject'), 'hi there');
    await assert.rejects(estate.waitForMessage('bob@acme.example', { subject: 'else', timeoutMs: 1 }), /hi there/);

    const { ports } = estate;
    await estate.reset();
    assert.deepEqual(estate.ports, ports);
    await assert.rejects(estate.waitForMessage('bob@acme.example', { timeoutMs: 1 }), /there is: none/);
    await send('bob@acme.example', 'again');
    await estate.waitForMessage('bob@acme.example', { subject: 'again', timeoutMs: 60_000 });
  }
  assert.ok(!existsSync(dirname(data)));
});

test('a seed that cannot be loaded says so, and nothing stays', async () => {
  await assert.rejects(createTestEstate({ ldif: 'dn: cn=x,dc=nowhere\nobjectClass: person\ncn: x\n' }), /LDAP add: /);
  await assert.rejects(createTestEstate({ ldif: 'nonsense' }), /line 1/);
});

test('waypost dev says where its doors are, and takes all of it away at a signal', async (context) => {
  const child = spawn(resolve(import.meta.dirname, '..', 'waypost'), ['dev'], { stdio: ['ignore', 'pipe', 'pipe'] });
  context.after(() => child.kill('SIGKILL'));
  let stdout = '';
  for await (const chunk of child.stdout) {
    stdout += chunk;
    if (stdout.includes('Ctrl-C ends it.')) child.kill('SIGINT');
  }
  const code = child.exitCode ?? (await once(child, 'exit'))[0];
  assert.equal(code, 0);
  assert.match(stdout, /^ {2}submission {3}127\.0\.0\.1:\d+$/m);
  const [, data] = /--data (\S+)$/m.exec(stdout)!;
  assert.ok(!existsSync(dirname(data!)));
});
