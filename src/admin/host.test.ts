// Servers of the directory: what `host add` gives, and what it refuses.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { verifyPassword } from '../auth/password.ts';
import { findEntry } from '../directory/entries.ts';
import { textValues } from '../directory/entry.ts';
import { add } from '../provisioning/testing.ts';
import { hostAdd, hostList, hostRemove } from './host.ts';
import { openTestAdmin, run } from './testing.ts';

const admin = await openTestAdmin('acme.example');
after(() => admin.directory.close());
const parts = { ...admin.parts, hostname: 'mail.test.example', listeners: { ldaps: '127.0.0.1:1636' } };
const dnOf = (name: string): string => `cn=${name},ou=Hosts,ou=Waypost,o=internet`;

test('a server gets an entry, a password that is said once, and two lines', async () => {
  const dry = await run(hostAdd(parts), { name: 'MX2.example', dryRun: true });
  assert.deepEqual([dry.dryRun, dry.password, findEntry(parts.reader, dnOf('mx2.example'))], [true, null, undefined]);
  const added = await run(hostAdd(parts), { name: 'MX2.example' });
  assert.deepEqual(added.lines, [
    'directory.provider = "ldaps://mail.test.example:1636"',
    'directory.password-file = "directory-password"',
  ]);
  const stored = textValues(findEntry(parts.reader, dnOf('mx2.example'))!, 'userpassword');
  assert.equal(await verifyPassword(stored, Buffer.from(added.password!), parts.gate), true);
  await assert.rejects(run(hostAdd(parts), { name: 'mx2.example' }), { kind: 'exists' });
});

test('a host where mail goes becomes a server, and the other way round', async () => {
  await admin.directory.apply(
    add(dnOf('mx3.example'), { objectClass: 'waypostHost', cn: 'mx3.example', waypostHostAddress: '192.0.2.3' }),
  );

  const kindOf = async (name: string) => (await run(hostList(parts), {})).find((host) => host.name === name)?.kind;
  assert.deepEqual([await kindOf('mx3.example'), await kindOf('mail.test.example')], ['host', 'this']);
  await run(hostAdd(parts), { name: 'mx3.example' });
  assert.equal(await kindOf('mx3.example'), 'server');
  await run(hostRemove(parts), { name: 'mx3.example' });
  assert.equal(await kindOf('mx3.example'), undefined);
});

test('this server, names without a dot and hosts that are not there are refused', async () => {
  for (const name of ['mail.test.example', 'mx2', 'not a name'])
    await assert.rejects(run(hostAdd(parts), { name }), { kind: 'invalid' }, name);
  await assert.rejects(run(hostRemove(parts), { name: 'mail.test.example' }), { kind: 'invalid' });
  await assert.rejects(run(hostRemove(parts), { name: 'mx9.example' }), { kind: 'not-found' });
  await assert.rejects(run(hostAdd({ ...parts, listeners: {} }), { name: 'mx9.example' }), { kind: 'invalid' });
});
