// Programs that send mail, with what they can say beside the message: what is reported, addresses beyond ASCII; and sinks that
// take ours by SMTP and by LMTP.

import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { AdminClient } from '../../src/cli/client.ts';
import { ImapClient } from '../../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../../src/demo/clients/smtp-client.ts';
import { addUser, administrator, type Person, populate } from '../support/directory.ts';
import { freePorts, takesConnections } from '../support/free-ports.ts';
import { type PeerName, peer } from '../support/peers.ts';
import { startWaypost, type Waypost } from '../support/server.ts';
import { until } from '../support/until.ts';

const execute = promisify(execFile);
const TOOL_MS = 180_000;

let server: Waypost;
let ann: Person;
let folder: string;
let smtpSink: number;
let lmtpSink: number;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waypost-programs-'));
  [smtpSink, lmtpSink] = (await freePorts(2)) as [number, number];
  server = await startWaypost({ config: `[next-hop]\n"sink.example" = "[127.0.0.1]:${smtpSink}"\n` });
  [ann] = (await populate(server, 'acme.example', ['ann'])) as [Person];
  const ldap = await administrator(server);
  await addUser(ldap, 'jürgen@acme.example');
  await ldap.add('cn=sink,ou=Channels,ou=Waypost,o=internet', {
    ...{ objectClass: 'waypostChannel', cn: 'sink', waypostChannelKind: 'lmtp' },
    waypostKeyword: `daemon [127.0.0.1]:${lmtpSink}`,
  });
  await ldap.add('cn=sink,ou=Rules,ou=Waypost,o=internet', {
    ...{ objectClass: 'waypostRewriteRule', cn: 'sink' },
    ...{ waypostPattern: 'lmtp.example', waypostTemplate: '$U%lmtp.example@sink' },
  });
  await ldap.unbind();
});
after(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function inbox(person: Person): Promise<string[]> {
  const client = await ImapClient.login(server.listeners.imap, person.login, person.password);
  const messages = await client.fetchAll();
  await client.logout();
  return messages.map(({ body }) => body.toString('latin1'));
}

async function run(tool: PeerName, parameters: readonly string[]): Promise<void> {
  await execute(peer(tool).path, parameters, { timeout: TOOL_MS });
}

/** A report of success with this envelope id has come. */
async function reported(id: string): Promise<void> {
  const isIt = (report: string): boolean =>
    report.includes(`\r\nOriginal-Envelope-Id: ${id}\r\n`) && report.includes('\r\nAction: delivered\r\n');
  await until(`the report ${id}`, async () => (await inbox(ann)).some(isIt));
}

const PYTHON = `
import smtplib, sys
port, lmtp, login, password = sys.argv[1:]
mail = smtplib.SMTP('127.0.0.1', int(port)); mail.login(login, password)
text = 'Subject: smtplib\\r\\n\\r\\nGr\\u00fc\\u00dfe\\r\\n'.encode()
mail.sendmail(login, [login], text, ['BODY=8BITMIME', 'RET=HDRS', 'ENVID=py'], ['NOTIFY=SUCCESS'])
mail.sendmail(login, ['j\\u00fcrgen@acme.example'], text, ['SMTPUTF8', 'BODY=8BITMIME', 'ENVID=py8'], ['NOTIFY=SUCCESS'])
mail.quit()
mail = smtplib.LMTP('127.0.0.1', int(lmtp))
refused = mail.sendmail('rex@far.example', [login, 'nobody@acme.example'], text.replace(b'smtplib', b'by lmtp'))
print(sorted(refused)); mail.quit()
`;

test('smtplib: DSN, SMTPUTF8, and LMTP with a recipient that is refused', { skip: peer('python3').skip }, async () => {
  const ports = [server.listeners.submission.port, server.listeners.lmtp.port].map(String);
  const { stdout } = await execute(peer('python3').path, ['-c', PYTHON, ...ports, ann.login, ann.password], {
    timeout: TOOL_MS,
  });
  assert.equal(stdout, "['nobody@acme.example']\n");
  await reported('py');
  await reported('py8');
  assert.ok((await inbox(ann)).some((text) => text.includes('\r\nSubject: by lmtp\r\n')));
});

test('msmtp asks for a report', { skip: peer('msmtp').skip }, async () => {
  const count = (await inbox(ann)).length;
  const argv = [
    ...['--host=127.0.0.1', `--port=${server.listeners.submission.port}`, '--tls=off', '--auth=plain'],
    ...[`--user=${ann.login}`, `--passwordeval=printf %s ${ann.password}`, `--from=${ann.login}`],
    ...['--dsn-notify=success,failure', '--dsn-return=hdrs', '--', ann.login],
  ];
  const child = spawn(peer('msmtp').path, argv, { timeout: TOOL_MS });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (printed += text));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  child.stdin.end('Subject: msmtp\n\ntext\n');
  assert.equal(await ended, 0, printed);
  await until('the message and its report', async () => (await inbox(ann)).length === count + 2);
});

test('swaks at the LMTP door', { skip: peer('swaks').skip }, async () => {
  const where = ['--protocol', 'LMTP', '--server', `127.0.0.1:${server.listeners.lmtp.port}`];
  await run('swaks', [...where, '--from', 'rex@far.example', '--to', ann.login, '--header', 'Subject: by swaks']);
  assert.ok((await inbox(ann)).some((text) => text.includes('\r\nSubject: by swaks\r\n')));
});

test('curl takes a message to a mailbox', { skip: peer('curl').skip }, async () => {
  const file = join(folder, 'message');
  writeFileSync(file, 'Subject: by curl\r\n\r\n.dot\r\n');
  const url = `smtp://127.0.0.1:${server.listeners.submission.port}/client.example`;
  const login = ['--user', `${ann.login}:${ann.password}`, '--login-options', 'AUTH=PLAIN'];
  await run('curl', ['-sS', ...login, '--mail-from', ann.login, '--mail-rcpt', ann.login, '--upload-file', file, url]);
  await until('the message', async () => (await inbox(ann)).some((text) => text.endsWith('\r\n\r\n.dot\r\n')));
});

test('smtp-sink takes ours, by SMTP and by LMTP', { skip: peer('postfix').skip }, async () => {
  const sinks: ChildProcess[] = [];
  try {
    for (const [port, ...words] of [[smtpSink], [lmtpSink, '-L']] as const) {
      sinks.push(
        spawn('/usr/sbin/smtp-sink', [...words, '-u', 'nobody', `127.0.0.1:${port}`, '100'], { stdio: 'ignore' }),
      );
      await until('the sink', () => takesConnections(port));
    }
    const client = await SmtpClient.open(server.listeners.submission, ann);
    const text = Buffer.from('From: ann@acme.example\r\nSubject: to a sink\r\n\r\ntext\r\n');
    for (let at = 0; at < 10; at++)
      await client.send(ann.login, [`a${at}@sink.example`, `a${at}@lmtp.example`, `b${at}@lmtp.example`], text);
    await client.quit();
    const admin = new AdminClient(server.data);
    await until('an empty queue', async () => (await admin.call('queue.list', {})).length === 0);
    const trace = await admin.call('trace', { what: 'b9@lmtp.example' });
    assert.match(JSON.stringify(trace), /relayed|delivered/);
  } finally {
    for (const sink of sinks) sink.kill('SIGKILL');
  }
});
