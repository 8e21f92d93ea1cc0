import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { localCertificate } from './local-certificate.ts';

const DAY = 86_400_000;

test('the local certificate is kept until thirty days are left or its names are others; its authority outlives it', async (context) => {
  const data = await mkdtemp(join(tmpdir(), 'waypost-certificate-'));
  context.after(() => rm(data, { recursive: true }));
  const start = Date.now();
  const names = ['mail.example', 'localhost'];
  const at = (days: number, wanted = names) => localCertificate(data, wanted, start + days * DAY);

  const first = await at(0);
  assert.deepEqual([first.made, first.isOtherAuthority], [true, false]);
  assert.equal(Math.round((first.certificate.notAfter - start) / DAY), 397);
  assert.deepEqual(await at(0), { certificate: first.certificate, made: false, isOtherAuthority: false });
  assert.equal((await at(366)).made, false);
  const second = await at(368);
  assert.equal(second.made, true);
  assert.notEqual(second.certificate.chain, first.certificate.chain);
  assert.equal((await at(368)).made, false);
  assert.equal((await at(368, [...names, 'imap.acme.example'])).made, true);
  // The clock was wrong when it was made.
  assert.equal((await at(0)).made, true);
  const late = await at(3649);
  assert.deepEqual([late.made, late.isOtherAuthority], [true, true]);
  for (const file of ['ca.pem', 'ca-key.pem']) {
    await writeFile(join(data, 'tls', file), '');
    const damaged = await at(3649, [...names, `without.${file}`]);
    assert.deepEqual([damaged.made, damaged.isOtherAuthority], [true, true]);
  }
});

test('the authority stays as long as it can be used; what is missing or does not match is made anew', async (context) => {
  const data = await mkdtemp(join(tmpdir(), 'waypost-certificate-'));
  context.after(() => rm(data, { recursive: true }));
  const names = ['ca.pem', 'ca-key.pem', 'local/fullchain.pem', 'local/privkey.pem'];
  const path = (name: string): string => join(data, 'tls', name);
  const made = async (hostname: string): Promise<string[]> => {
    await localCertificate(data, [hostname, 'localhost'], Date.now());
    return Promise.all(names.map((name) => readFile(path(name), 'utf8')));
  };
  const first = await made('mail.example');
  assert.deepEqual(await made('mail.example'), first);
  // As a crash between two renames leaves it.
  await writeFile(path('local/privkey.pem'), first[1]!);
  await writeFile(path('local/fullchain.pem.new'), 'half');
  const second = await made('mail.example');
  assert.deepEqual(second.slice(0, 2), first.slice(0, 2));
  assert.ok(second[2] !== first[2] && second[3] !== first[3]);
  await rm(path('ca.pem'));
  const third = await made('mail.example');
  assert.ok(third.every((text, i) => text !== second[i]));
  const fourth = await made('new.mail.example');
  assert.equal(fourth[0], third[0]);
  assert.notEqual(fourth[2], third[2]);
});
