// The secret of a source goes to no other server because a site administrator says so.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { callerOf } from '../directory/caller.ts';
import { getEntry } from '../directory/entries.ts';
import { change } from './change.ts';
import { add, addDomain, addUser, openTestDirectory, replace, userDn } from './testing.ts';

const directory = await openTestDirectory();
after(() => directory.close());

const SOURCE = 'cn=corp,ou=Sources,ou=Waypost,o=internet';
const ANN = userDn('ann@acme.example');

test('who may not read it gives a new one along with a new place', async () => {
  await directory.apply(
    addDomain('acme.example'),
    addUser('ann@acme.example'),
    replace('cn=Site Administrators,ou=Waypost,o=internet', { member: ANN }),
    add(SOURCE, {
      objectClass: 'waypostLdapSource',
      cn: 'corp',
      waypostUrl: 'ldaps://ldap.corp.example',
      waypostLogin: 'cn=reader,o=corp',
      waypostSecret: 'old',
      waypostBase: 'o=corp',
      waypostSourceDomain: 'corp.example',
    }),
  );
  const caller = callerOf(getEntry(directory.reader, ANN));
  const write = (values: Parameters<typeof replace>[1]) =>
    directory.writer.execute(change, { changes: [replace(SOURCE, values)], caller, peer: '', now: 0 });
  const elsewhere = [
    { waypostUrl: 'ldaps://evil.example' },
    { waypostStartTls: 'TRUE' },
    { waypostLogin: 'cn=other,o=corp' },
  ];
  for (const values of elsewhere) await assert.rejects(write(values), /waypostSecret/);
  await write({ waypostPoll: '1h' });
  await write({ waypostUrl: 'ldaps://new.example', waypostSecret: 'new' });
  await directory.apply(replace(SOURCE, { waypostUrl: 'ldaps://ldap.corp.example' }));
});

test('a channel that logs in goes to other hosts with another secret', async () => {
  const channel = 'cn=smart,ou=Channels,ou=Waypost,o=internet';
  await directory.apply(
    add(channel, {
      objectClass: 'waypostChannel',
      cn: 'smart',
      waypostChannelKind: 'smtp',
      waypostKeyword: ['daemon smart.example:587', 'maxjobs 2'],
      waypostLogin: 'acme',
      waypostSecret: 'old',
    }),
  );
  const caller = callerOf(getEntry(directory.reader, ANN));
  const write = (values: Parameters<typeof replace>[1]) =>
    directory.writer.execute(change, { changes: [replace(channel, values)], caller, peer: '', now: 0 });
  for (const words of [
    ['daemon evil.example'],
    ['Daemon  evil.example:587'],
    ['daemon smart.example:587', 'port 9'],
    [],
  ])
    await assert.rejects(write({ waypostKeyword: words }), /waypostSecret/);
  await assert.rejects(write({ waypostLogin: 'other' }), /waypostSecret/);
  await write({ waypostKeyword: ['maxjobs 5', ' DAEMON   smart.example:587'] });
  await write({ waypostKeyword: 'daemon new.example', waypostSecret: 'new' });
});
