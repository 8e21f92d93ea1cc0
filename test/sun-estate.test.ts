// An estate of Sun's Messaging Server moves in as docs/bring-your-users.md says: two trees, an alias, a list, statuses, and what its
// directory writes for itself. What does not come, and what does not act, is named.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import type { Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { administrator } from './support/directory.ts';
import { startWaypost, type Waypost } from './support/server.ts';

const root = resolve(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'waypost-sun-'));
const page = readFileSync(join(root, 'docs', 'bring-your-users.md'), 'utf8');

/** The first block of this language on the page, as it is copied from there. */
function block(language: string): string {
  const found = new RegExp(`^ {3}\`\`\`${language}\\n([\\s\\S]*?)^ {3}\`\`\`$`, 'm').exec(page);
  return found![1]!.replace(/^ {3}/gm, '');
}

let server: Waypost;
let directory: Client;
let admin: AdminClient;
before(async () => {
  server = await startWaypost({ config: block('toml'), args: ['--hostname', 'mail.siroe.com'] });
  directory = await administrator(server);
  admin = new AdminClient(server.data);
});
after(async () => {
  await directory?.unbind();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function bring(file: string, ...more: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const words = ['directory', 'import', file, '--data', server.data, '--existing', 'skip', '--continue', ...more];
  return new Promise((done) =>
    execFile(join(root, 'waypost'), words, (error, stdout, stderr) =>
      done({ code: Number(error?.code ?? 0), stdout, stderr }),
    ),
  );
}

const reasons = (stderr: string): string[] =>
  stderr.split('\n').flatMap((line) => /^waypost: line \d+: (.*)$/.exec(line)?.[1] ?? []);

test('the page is enough: what comes acts, what does not is named', async () => {
  const text = readFileSync(join(import.meta.dirname, 'sun-estate.ldif'), 'utf8').replaceAll('\n', '\r\n');
  const file = join(folder, 'estate.ldif');
  writeFileSync(file, text);
  const { revision } = await admin.call('directory.change', { ldif: block('ldif') });
  assert.ok(revision);

  const refused = [
    'dc=siroe,dc=org,o=internet: The entry has two structural object classes: alias and domain (65)',
    'uid=locked,ou=People,o=Siroe Inc\\, Europe,o=isp: The attribute accountUnlockTime is not known (17)',
    'uid=late,ou=Late,o=Siroe Inc\\, Europe,o=isp: There is no such entry (32)',
  ];
  const unverified = 'uid=des,ou=People,o=Siroe Inc\\, Europe,o=isp: a password of a kind that is not verified here';
  const dry = await bring(file, '--dry-run');
  assert.deepEqual(reasons(dry.stderr).sort(), [...refused, unverified].sort());
  const done = await bring(file);
  assert.equal(done.code, 1);
  assert.deepEqual(reasons(done.stderr).sort(), [...refused, unverified].sort());
  assert.match(done.stdout, /^11 added, 2 there already, 3 refused: .*\n1 passwords are/);
  const again = await bring(`${file}.rejected`);
  assert.match(again.stdout, /^1 added, 2 refused/);

  const { problems } = await admin.call('sync.status', {});
  assert.deepEqual(
    problems.map(({ dn, problems: [first] }) => [dn.split(',')[0], first?.attribute]),
    [['uid=sieve', 'mailSieveRuleSource']],
  );

  const smtp = await SmtpClient.open(server.listeners.smtp);
  const asked = async (sender: string, recipient: string): Promise<string> => {
    await smtp.command(`MAIL FROM:<${sender}>`);
    const { code } = await smtp.command(`RCPT TO:<${recipient}>`);
    await smtp.command('RSET');
    return `${code} ${recipient}`;
  };
  const answers: string[] = [];
  for (const name of ['adam', 'A.Example', 'late', 'des', 'sieve', 'team', 'locked'])
    answers.push(await asked('x@siroe.com', `${name}@siroe.com`));
  answers.push(await asked('x@other.example', 'team@siroe.com'), await asked('x@other.example', 'adam@siroe.net'));
  assert.deepEqual(answers, [
    '250 adam@siroe.com',
    '250 A.Example@siroe.com',
    '250 late@siroe.com',
    '250 des@siroe.com',
    '451 sieve@siroe.com',
    '250 team@siroe.com',
    '550 locked@siroe.com',
    '550 team@siroe.com',
    '250 adam@siroe.net',
  ]);
  await smtp.quit();
  for (const name of ['adam@siroe.com', 'a.example@siroe.com', 'adam@siroe.net'])
    await (await ImapClient.login(server.listeners.imap, name, 'secret')).logout();
  for (const domain of ['siroe.com', 'siroe.net']) {
    const { records } = await admin.call('dns.records', { domain });
    assert.ok(JSON.stringify(records).includes('mail.siroe.com'), domain);
  }
});
