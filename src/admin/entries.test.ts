// What commands print of an entry.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findEntry } from '../directory/entries.ts';
import { addDomain, addGroup, addUser, groupDn, openTestDirectory, userDn } from '../provisioning/testing.ts';
import { show } from './entries.ts';

test('show prints an entry without its passwords, of people and of lists', async () => {
  const directory = await openTestDirectory();
  try {
    await directory.apply(
      addDomain('acme.example'),
      addUser('ann@acme.example', { userPassword: '{SSHA}of-the-user' }),
      addGroup('all@acme.example', [], { mgrpAuthPassword: 'of-the-list' }),
    );
    for (const dn of [userDn('ann@acme.example'), groupDn('all@acme.example')]) {
      const { attributes } = show(directory.reader, findEntry(directory.reader, dn)!);
      assert.ok(attributes['mail'] !== undefined);
      assert.doesNotMatch(JSON.stringify(attributes), /password|of-the/i);
    }
  } finally {
    directory.close();
  }
});

test('show prints the first thousand members of a list, and how many more there are', async () => {
  const directory = await openTestDirectory();
  try {
    const addresses = Array.from({ length: 1200 }, (_, n) => `x${n}@remote.example`);
    await directory.apply(
      addDomain('acme.example'),
      addGroup('all@acme.example', [userDn('ann@acme.example')], { mgrpRFC822MailMember: addresses }),
    );
    const { attributes, more } = show(directory.reader, findEntry(directory.reader, groupDn('all@acme.example'))!);
    const shown = [...attributes['uniqueMember']!, ...attributes['mgrpRFC822MailMember']!];
    assert.deepEqual([shown.length, more], [1000, 201]);
  } finally {
    directory.close();
  }
});
