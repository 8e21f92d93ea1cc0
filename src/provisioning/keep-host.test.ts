// This host's own entry: renamed with the host, and written only where it says otherwise.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findEntry } from '../directory/entries.ts';
import { textValues } from '../directory/entry.ts';
import { prepareHost } from './bootstrap.ts';
import { keepHost, renameHost } from './keep-host.ts';
import { openTestDirectory } from './testing.ts';

const dnOf = (name: string) => `cn=${name},ou=Hosts,ou=Waypost,o=internet`;

test('a start under another name renames the entry, and equal values write nothing', async (context) => {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  const { reader, writer } = directory;
  await writer.execute(prepareHost, { suffixes: ['o=internet'], hostname: 'old.example', now: 1 });
  const uuid = findEntry(reader, dnOf('old.example'))?.uuid;
  const names = { hostname: 'new.example', formerNames: ['older.example', 'old.example'], now: 2 };
  await writer.execute(renameHost, names);
  assert.equal(findEntry(reader, dnOf('old.example')), undefined);
  assert.equal(findEntry(reader, dnOf('new.example'))?.uuid, uuid);
  await writer.execute(renameHost, { ...names, formerNames: ['old.example'] });

  const state = { hostname: 'new.example', addresses: ['192.0.2.1'], services: ['dns 53', 'smtp 25'], now: 3 };
  await writer.execute(keepHost, state);
  const revision = reader.revision();
  await writer.execute(keepHost, { ...state, services: ['smtp 25', 'dns 53'] });
  assert.equal(reader.revision(), revision);
  await writer.execute(keepHost, { ...state, addresses: [] });
  const entry = findEntry(reader, dnOf('new.example'));
  assert.deepEqual(entry && textValues(entry, 'wayposthostaddress'), []);
  assert.deepEqual(entry && textValues(entry, 'wayposthostservice'), ['dns 53', 'smtp 25']);
});
