// Rewrite rules on the started program: written by LDAP, asked at RCPT at once, seen by the other host and by the commands.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { Client } from 'ldapts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { LineConnection } from '../src/demo/clients/line-connection.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { RemoteHost } from '../src/estate/remote-host.ts';
import { administrator, type Person, populate } from './support/directory.ts';
import { DnsTestServer } from './support/dns-server.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const run = promisify(execFile);
const launcher = join(import.meta.dirname, '..', 'waypost');

let server: Waypost;
let dns: DnsTestServer;
let ldap: Client;
let ann: Person;
let sink: RemoteHost;
let other: RemoteHost;
before(async () => {
  sink = await RemoteHost.start();
  other = await RemoteHost.start();
  dns = await DnsTestServer.start('127.0.0.2');
  const config = [
    `resolver = ["${dns.server}"]`,
    'threads = 2',
    '[provision]',
    'from-mx = "auto"',
    '[next-hop]',
    `"remote.example" = "${sink.nextHop}"`,
  ];
  server = await startWaypost({ config: config.join('\n') });
  ldap = await administrator(server);
  [ann] = (await populate(server, 'acme.example', ['ann'])) as [Person];
});
after(async () => {
  await ldap?.unbind();
  await server?.stop();
  await Promise.all([sink?.close(), other?.close(), dns?.close()]);
});

const ruleDn = (name: string): string => `cn=${name},ou=Rules,ou=Waypost,o=internet`;

async function addRule(name: string, waypostPattern: string, waypostTemplate: string): Promise<void> {
  await ldap.add(ruleDn(name), { objectClass: 'waypostRewriteRule', cn: name, waypostPattern, waypostTemplate });
}

/** The reply to RCPT of a stranger. */
async function rcpt(address: string): Promise<string> {
  const { host, port } = server.listeners.smtp;
  const connection = await LineConnection.open(host, port);
  connection.write('HELO client.example\r\nMAIL FROM:<>\r\n');
  for (let i = 0; i < 3; i++) await connection.line();
  connection.write(`RCPT TO:<${address}>\r\n`);
  const reply = await connection.line();
  connection.destroy();
  return reply;
}

interface Ran {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

async function waypost(...words: readonly string[]): Promise<Ran> {
  try {
    const { stdout, stderr } = await run(launcher, [...words, '--data', server.data]);
    return { code: 0, output: stdout, errors: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout, errors: stderr };
  }
}

test('a rule acts at the next RCPT after it is written, and is gone after it is deleted, on each thread', async () => {
  assert.match(await rcpt('ann@sales.acme.example'), /^550 5\.7\.1 /);
  await addRule('sub', '.acme.example', '$U%acme.example');
  for (let time = 0; time < 4; time++) assert.match(await rcpt('ann@sales.acme.example'), /^250 /);
  assert.match(await rcpt('eve@sales.acme.example'), /^550 5\.1\.1 /);
  await ldap.del(ruleDn('sub'));
  for (let time = 0; time < 4; time++) assert.match(await rcpt('ann@sales.acme.example'), /^550 5\.7\.1 /);
});

test('rules in a circle are refused, a refusal says its text, no rule opens a relay', async () => {
  await addRule('a', 'a.example', '$U%b.example');
  await addRule('b', 'b.example', '$U%a.example');
  await addRule('closed', 'closed.example', '$?closed since May');
  await addRule('relay', 'x.example', '$U@$D@[127.0.0.1]:9@smtp');
  assert.match(await rcpt('u@a.example'), /^554 5\.4\.6 /);
  assert.equal(await rcpt('u@closed.example'), '550 5.1.2 closed since May');
  assert.match(await rcpt('u@x.example'), /^550 5\.7\.1 /);
  assert.match(await rcpt('u@remote.example'), /^550 5\.7\.1 /);
});

test('evidence of a domain that arrives is looked for where the built-in rule decides, and not behind another', async () => {
  dns.mx('arriving.acme.example', [10, 'mail.waypost.example']);
  dns.mx('ruled.acme.example', [10, 'mail.waypost.example']);
  await addRule('ruled', 'ruled.acme.example', '$U@$D@[127.0.0.1]:9@smtp');
  assert.match(await rcpt('u@ruled.acme.example'), /^550 5\.7\.1 /);
  assert.equal(
    dns.queries.some(({ name }) => name === 'ruled.acme.example'),
    false,
  );
  await rcpt('u@arriving.acme.example');
  assert.equal(
    dns.queries.some(({ name }) => name === 'arriving.acme.example'),
    true,
  );
});

test('the recipient is rewritten on the way to its next hop; a report names the original one', async () => {
  await addRule('moved', '*.old.example', `$U+$&0@partner.example@${other.nextHop}@smtp`);
  const client = await SmtpClient.open(server.listeners.submission, ann);
  await client.send(
    'ann@acme.example',
    ['rex@desk.old.example', 'rex@remote.example'],
    Buffer.from('Subject: x\r\n\r\nx\r\n'),
  );
  await client.quit();
  await until('both are there', () => sink.messages.length === 1 && other.messages.length === 1);
  assert.deepEqual(other.messages[0]!.recipients, ['rex+desk@partner.example']);
  assert.match(other.messages[0]!.data, /^Subject: x\r\n/m);
  assert.deepEqual(sink.messages[0]!.recipients, ['rex@remote.example']);
  other.script = { rcpt: '550 5.1.1 no such user' };
  const again = await SmtpClient.open(server.listeners.submission, ann);
  await again.send('ann@acme.example', ['Rex@desk.old.example'], Buffer.from('Subject: y\r\n\r\ny\r\n'));
  await again.quit();
  let reports: string[] = [];
  await until('a report', async () => {
    const imap = await ImapClient.login(server.listeners.imap, ann.login, ann.password);
    reports = (await imap.fetchAll()).map(({ body }) => body.toString('latin1'));
    await imap.logout();
    return reports.length > 0;
  });
  assert.match(reports.join(''), /^Original-Recipient: rfc822; Rex@desk\.old\.example\r\n/m);
  assert.match(reports.join(''), /^Final-Recipient: rfc822; Rex\+desk@partner\.example\r\n/m);
  const trace = async (): Promise<string> => (await waypost('trace', 'rex+desk@partner.example', '--json')).output;
  await until('its journey', async () => (await trace()).includes('relayed'));
});

test('the commands show rules as they are asked', async () => {
  const listed = JSON.parse((await waypost('rule', 'list', '--json')).output) as { source: string; pattern: string }[];
  assert.deepEqual(
    listed.map(({ source, pattern }) => `${source} ${pattern}`),
    [
      'domain acme.example',
      'entry ruled.acme.example',
      'entry a.example',
      'entry b.example',
      'entry closed.example',
      'file remote.example',
      'entry x.example',
      'entry *.old.example',
      'built-in .',
    ],
  );
  const tested = await waypost('rule', 'test', 'u@closed.example');
  assert.equal(tested.code, 1);
  assert.match(tested.output, /^closed\.example +closed +refused: closed since May$/m);
  const asked = await waypost('route', 'ann@sales.acme.example', '--with', '.acme.example $U%acme.example');
  assert.equal(asked.code, 0);
  assert.match(
    asked.output,
    /^rewrite rule +\.acme\.example \$U%acme\.example \(--with\): becomes ann@acme\.example$/m,
  );
  const broken = await waypost('rule', 'test', 'u@x.example', '--with', '. $U%$q');
  assert.match(broken.errors, /template: column 4: unknown control sequence \$q/);
  assert.equal(broken.code, 65);
});
