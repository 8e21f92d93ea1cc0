import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Failure } from '../base/failure.ts';
import { findEntry } from '../directory/entries.ts';
import { type DirectoryChange, textValues } from '../directory/entry.ts';
import { domainOfServerName, serverNames } from '../directory/server-names.ts';
import { add, addDomain, domainDn, openTestDirectory, remove, replace, type TestDirectory } from './testing.ts';

let directory: TestDirectory;
beforeEach(async () => {
  directory = await openTestDirectory();
});
afterEach(() => directory.close());

async function resultOf(...changes: readonly DirectoryChange[]): Promise<string> {
  return directory.apply(...changes).then(
    () => 'success',
    (error: unknown) => (error instanceof Failure ? (error.ldap?.name ?? error.message) : String(error)),
  );
}

const classesOf = (domain: string): readonly string[] =>
  textValues(findEntry(directory.reader, domainDn(domain))!, 'objectclass');
const named = (name: string): string | undefined => domainOfServerName(directory.reader, name);
const give = (domain: string, name: string | string[]): DirectoryChange =>
  replace(domainDn(domain), { waypostServerName: name });

test('the class comes with the attribute, at an add and at a modification, and is not added twice', async () => {
  await directory.apply(addDomain('acme.test', { waypostServerName: 'Mail.acme.test' }), addDomain('two.test'));
  assert.equal(classesOf('acme.test').filter((name) => name === 'waypostDomain').length, 1);
  assert.ok(!classesOf('two.test').includes('waypostDomain'));
  assert.equal(await resultOf(give('two.test', 'mail.two.test')), 'success');
  assert.equal(await resultOf(give('two.test', 'imap.two.test')), 'success');
  assert.equal(classesOf('two.test').filter((name) => name === 'waypostDomain').length, 1);
  assert.deepEqual(serverNames(directory.reader, 10), ['imap.two.test', 'mail.acme.test']);
  assert.deepEqual(serverNames(directory.reader, 1), ['imap.two.test']);
  assert.equal(named('mail.acme.test'), 'acme.test');
});

test('the class comes with each attribute that is Waypost’s own', async () => {
  const own = { waypostRoute: 'mx', waypostDisabledText: 'Closed', waypostSource: 'dns:test' };
  for (const [name, value] of Object.entries(own)) {
    const domain = `${name.toLowerCase()}.test`;
    await directory.apply(addDomain(domain), replace(domainDn(domain), { [name]: value }));
    assert.ok(classesOf(domain).includes('waypostDomain'), name);
  }
});

test('a name is one domain’s; it is free again when that lets it go', async () => {
  await directory.apply(addDomain('acme.test', { waypostServerName: 'mail.acme.test' }), addDomain('two.test'));
  assert.equal(await resultOf(give('two.test', 'MAIL.acme.test')), 'constraintViolation');
  assert.equal(await resultOf(addDomain('three.test', { waypostServerName: 'mail.acme.test' })), 'constraintViolation');
  assert.equal(named('mail.acme.test'), 'acme.test');
  assert.equal(await resultOf(give('acme.test', 'mail.acme.test')), 'success');
  // In one operation: the first lets it go, the second takes it.
  assert.equal(await resultOf(give('acme.test', []), give('two.test', 'mail.acme.test')), 'success');
  assert.equal(named('mail.acme.test'), 'two.test');
  assert.equal(await resultOf(remove(domainDn('two.test'))), 'success');
  assert.equal(named('mail.acme.test'), undefined);
});

test('it is one host name', async () => {
  await directory.apply(addDomain('acme.test'));
  for (const name of ['mail acme', 'mail_acme.test', '*.acme.test', 'ümail.test', '[192.0.2.1]', 'a..b'])
    assert.equal(await resultOf(give('acme.test', name)), 'invalidAttributeSyntax', name);
  assert.notEqual(await resultOf(give('acme.test', ['a.acme.test', 'b.acme.test'])), 'success');
  assert.equal(named('a.acme.test'), undefined);
});

test('an entry that is no mail domain gives its name to nobody', async () => {
  const node = add('ou=Elsewhere,o=internet', {
    objectClass: 'organizationalUnit',
    waypostServerName: 'mail.else.test',
  });
  assert.equal(await resultOf(node), 'success');
  assert.equal(named('mail.else.test'), undefined);
});
