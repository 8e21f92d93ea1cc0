// Names without a domain, over a real directory: which account they mean in which domain.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loginDirectory } from '../auth/login-directory.ts';
import { addDomain, addUser, openTestDirectory } from './testing.ts';

test('a name is the address in the domain, else the one entry with that uid below its base', async () => {
  const directory = await openTestDirectory();
  try {
    const eve = addUser('eve@acme.example', { uid: 'e17' });
    await directory.apply(
      addDomain('acme.example'),
      addDomain('other.example'),
      addUser('ann@acme.example', { uid: ['ann', 'bob'] }),
      addUser('bob@acme.example'),
      addUser('ann@other.example'),
      { ...eve, dn: eve.dn.replace('uid=eve', 'uid=e17') },
    );
    const { find } = loginDirectory(directory.reader, directory.cache);
    const means = (name: string, domain?: string) => find(name, domain)?.mail.addresses[0];
    assert.equal(means('ann', 'acme.example'), 'ann@acme.example');
    assert.equal(means('ann', 'other.example'), 'ann@other.example');
    assert.equal(means('ANN', 'acme.example'), 'ann@acme.example');
    // An address is stronger than a uid.
    assert.equal(means('bob', 'acme.example'), 'bob@acme.example');
    assert.equal(means('e17', 'acme.example'), 'eve@acme.example');
    assert.equal(means('e17', 'other.example'), undefined);
    // A full address is itself, wherever the client comes in.
    assert.equal(means('ann@other.example', 'acme.example'), 'ann@other.example');
    assert.equal(means('ann'), undefined);
    assert.equal(means('e17', 'none.example'), undefined);
    assert.equal(means('*', 'acme.example'), undefined);
  } finally {
    directory.close();
  }
});

test('a uid that two entries have is nobody', async () => {
  const directory = await openTestDirectory();
  try {
    const twins = ['one', 'two'].map((name) => addUser(`${name}@acme.example`, { uid: [name, 'both'] }));
    await directory.apply(addDomain('acme.example'), ...twins);
    const { find } = loginDirectory(directory.reader, directory.cache);
    assert.equal(find('both', 'acme.example'), undefined);
    assert.equal(find('one', 'acme.example')?.mail.addresses[0], 'one@acme.example');
  } finally {
    directory.close();
  }
});
