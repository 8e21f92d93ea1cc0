// The generated password: a file that only its owner reads, kept over starts, gone as soon as another is set.

import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client } from 'ldapts';
import { ADMINISTRATOR, administrator, replaceAttribute } from './support/directory.ts';
import { startWaypost } from './support/server.ts';
import { until } from './support/until.ts';

test('admin-password is 0600, survives a start, and goes with the change of the password', async (context) => {
  const server = await startWaypost();
  context.after(() => server.stop());
  const file = join(server.data, 'admin-password');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const generated = server.ldap.password;
  await server.restart();
  assert.equal(server.ldap.password, generated);

  const client = await administrator(server);
  await replaceAttribute(client, ADMINISTRATOR, 'description', ['not the password']);
  assert.ok(existsSync(file));
  await replaceAttribute(client, ADMINISTRATOR, 'userPassword', ['something new']);
  await client.unbind();
  await until('the file is gone', () => !existsSync(file));

  const { host, port } = server.listeners.ldap;
  const again = new Client({ url: `ldap://${host}:${port}` });
  await assert.rejects(again.bind(ADMINISTRATOR, generated));
  await again.bind(ADMINISTRATOR, 'something new');
  await again.unbind();
});
