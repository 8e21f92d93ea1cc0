// What commands print of an entry.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findEntry } from '../directory/entries.ts';
import { addDomain, addGroup, addUser, groupDn, openTestDirectory, userDn } from '../provisioning/testing.ts';
import { show } from './entries.ts';

test('show prints an entry without its passwords, of people and of lists', async () => {
  const directory = await openTestDirectory();
  try {
    const secrets = { userPassword: '{SSHA}of-the-user', mgrpAuthPassword: 'of-the-list' };
    await directory.apply(
      addDomain('acme.example'),
      addUser('ann@acme.example', secrets),
      addGroup('all@acme.example', [], secrets),
    );
    for (const dn of [userDn('ann@acme.example'), groupDn('all@acme.example')]) {
      const { attributes } = await show(directory.reader, findEntry(directory.reader, dn)!);
      assert.ok(attributes['mail'] !== undefined);
      assert.doesNotMatch(JSON.stringify(attributes), /password|of-the/i);
    }
  } finally {
    directory.close();
  }
});
