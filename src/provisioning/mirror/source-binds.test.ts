// Binds at a source that is not there: so many wait, and no more.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../base/clock.ts';
import { asFailure } from '../../base/failure.ts';
import { sourceOfChange } from '../ldap-source.ts';
import { openTestDirectory } from '../testing.ts';
import { SourceQuestions } from './source-questions.ts';

test('sixty-four logins wait for a source, and the next is told so at once', async () => {
  const directory = await openTestDirectory();
  const source = sourceOfChange({
    kind: 'add',
    dn: 'cn=corp,ou=Sources,ou=Waypost,o=internet',
    attributes: Object.entries({
      objectClass: 'waypostLdapSource',
      waypostUrl: 'ldap://127.0.0.1:1',
      waypostBase: 'dc=corp',
      waypostSourceDomain: 'corp.example',
    }).map(([name, value]) => ({ name, values: [value] })),
  });
  const { reader, writer } = directory;
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const questions = new SourceQuestions({ reader, writer, clock: systemClock, log, resolver: undefined }, source);
  const bind = () => questions.binds('uid=ann,dc=corp', Buffer.from('x')).catch((error) => asFailure(error).message);
  const waiting = Array.from({ length: 64 }, bind);
  assert.equal(await bind(), 'corp: too many logins wait for it');
  assert.ok((await Promise.all(waiting)).every((message) => !String(message).includes('too many')));
  assert.notEqual(await bind(), 'corp: too many logins wait for it');
  await questions.stop();
  await directory.close();
});
