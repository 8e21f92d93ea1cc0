import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { DAY_MS } from '../base/duration.ts';
import { CertificateFolders } from './certificate-folders.ts';
import { makeAuthority, makeCertificate } from './local-certificate.ts';

const NOW = Date.parse('2026-11-26T12:00:00Z');

async function open(context: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'waypost-certificates-'));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const authority = await makeAuthority('mail.example', NOW);
  const make = (name: string, at = NOW) => makeCertificate(authority, { dns: [name], ip: [] }, at);
  const put = (folder: string, made: { certificate: string; key: string }): void => {
    mkdirSync(join(directory, folder), { recursive: true });
    writeFileSync(join(directory, folder, 'fullchain.pem'), made.certificate);
    writeFileSync(join(directory, folder, 'privkey.pem'), made.key);
  };
  const folders = new CertificateFolders([directory]);
  const names = (): string[] => folders.served.flatMap((each) => each.names);
  const reasons = (): string[] => folders.refused.map(({ reason }) => reason);
  return { directory, folders, make, put, names, reasons, look: (now = NOW) => folders.look(now) };
}

test('folders come, change and go; a look says whether anything is another', async (context) => {
  const { directory, make, put, names, reasons, look } = await open(context);
  assert.equal(await look(), false);
  put('acme', await make('mail.acme.example'));
  writeFileSync(join(directory, 'README'), 'what certbot leaves here');
  mkdirSync(join(directory, 'empty'));
  assert.equal(await look(), true);
  assert.deepEqual(names(), ['mail.acme.example']);
  assert.equal(await look(), false);
  put('acme', await make('imap.acme.example'));
  assert.equal(await look(), true);
  assert.deepEqual(names(), ['imap.acme.example']);
  rmSync(join(directory, 'acme'), { recursive: true });
  assert.equal(await look(), true);
  assert.deepEqual([names(), reasons()], [[], []]);
});

test('links are followed, and one that leads elsewhere is a change', async (context) => {
  const { directory, make, put, names, look } = await open(context);
  put('../archive-of-test/1', await make('one.example'));
  put('../archive-of-test/2', await make('two.example'));
  context.after(() => rmSync(join(directory, '../archive-of-test'), { recursive: true, force: true }));
  const link = (to: string): void => {
    symlinkSync(join(directory, '../archive-of-test', to), join(directory, 'live.new'));
    renameSync(join(directory, 'live.new'), join(directory, 'live'));
  };
  link('1');
  await look();
  assert.deepEqual(names(), ['one.example']);
  link('2');
  assert.equal(await look(), true);
  assert.deepEqual(names(), ['two.example']);
});

test('what is bad is refused with its reason, and what was served before stays', async (context) => {
  const { directory, make, put, names, reasons, look } = await open(context);
  const good = await make('mail.acme.example');
  const other = await make('other.example');
  const bad: readonly [RegExp, { certificate: string; key: string }][] = [
    [/key is another/, { certificate: good.certificate, key: other.key }],
    [/^fullchain\.pem: /, { certificate: 'no PEM', key: good.key }],
    [/^privkey\.pem: /, { certificate: good.certificate, key: '' }],
    [/^expired at 20/, await make('mail.acme.example', NOW - 400 * DAY_MS)],
    [/no DNS name/, await makeCertificate(await makeAuthority('x', NOW), { dns: [], ip: ['192.0.2.1'] }, NOW)],
  ];
  for (const [reason, files] of bad) {
    put('never-good', files);
    await look();
    assert.deepEqual(names(), [], String(reason));
    assert.match(reasons().join(), reason);
  }
  rmSync(join(directory, 'never-good'), { recursive: true });
  put('acme', good);
  await look();
  for (const [reason, files] of bad) {
    put('acme', files);
    assert.equal(await look(), false);
    assert.deepEqual(names(), ['mail.acme.example'], String(reason));
    assert.match(reasons().join(), reason);
  }
  rmSync(join(directory, 'acme', 'privkey.pem'));
  await look();
  assert.deepEqual([names(), reasons()], [['mail.acme.example'], ['privkey.pem is missing']]);
  put('acme', good);
  await look();
  assert.deepEqual([names(), reasons()], [['mail.acme.example'], []]);
});

test('PEM as programs leave it: other line ends, none at the end, texts between; glued together it is none', async (context) => {
  const { put, make, names, reasons, look } = await open(context);
  const { certificate, key } = await make('mail.acme.example');
  const issuer = (await makeAuthority('issuer.example', NOW)).certificate;
  const crlf = (text: string): string => text.replaceAll('\n', '\r\n');
  const curve = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';
  for (const files of [
    { certificate: crlf(certificate), key: crlf(key) },
    { certificate: certificate.trimEnd(), key: key.trimEnd() },
    { certificate: `subject=x\n\n${certificate}\n\nissuer=y\n${crlf(issuer)}# end`, key },
    { certificate, key: curve + key },
  ]) {
    put('acme', files);
    assert.equal(await look(), true, JSON.stringify(reasons()));
    assert.deepEqual([names(), reasons()], [['mail.acme.example'], []]);
  }
  for (const glued of [certificate.trimEnd() + issuer, `${certificate}${issuer.trimEnd()}${issuer}`]) {
    put('acme', { certificate: glued, key });
    assert.equal(await look(), false);
    assert.deepEqual(names(), ['mail.acme.example']);
    assert.match(reasons().join(), /^fullchain\.pem: .*bad end line/);
  }
  // An authority in front of the certificate is not what the key is for.
  put('acme', { certificate: issuer + certificate, key });
  assert.equal(await look(), false);
  assert.match(reasons().join(), /key is another/);
});

test('a directory that cannot be read takes nothing away', async (context) => {
  const { directory, make, put, names, reasons, look } = await open(context);
  put('acme', await make('mail.acme.example'));
  await look();
  renameSync(directory, `${directory}.away`);
  assert.equal(await look(), false);
  assert.deepEqual([names(), reasons()], [['mail.acme.example'], ['cannot be read (ENOENT)']]);
  renameSync(`${directory}.away`, directory);
});
