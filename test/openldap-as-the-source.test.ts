// An OpenLDAP whose people have their mail here: Debian's slapd as a source, with content synchronization and without.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { Client } from 'ldapts';
import type { Failure } from '../src/base/failure.ts';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import type { MirrorStatus } from '../src/provisioning/mirror/source-mirror.ts';
import { CORP, CORP_PASSWORD, CORP_READER, CorpSlapd, corpPerson } from './support/corp-slapd.ts';
import { administrator } from './support/directory.ts';
import { freePort } from './support/free-ports.ts';
import { metricsText } from './support/metrics.ts';
import { peersMissing } from './support/peers.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const skip = peersMissing('slapd', 'ldapmodify');
const SOURCES = 'ou=Sources,ou=Waypost,o=internet';
const PEOPLE = 250;

let server: Waypost;
let ldap: Client;
let corp: CorpSlapd;

before(async () => {
  if (skip !== false) return;
  const ldif = Array.from({ length: PEOPLE }, (_, i) =>
    corpPerson(`u${i}`, `userPassword: {SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0`),
  ).join('');
  [server, corp] = await Promise.all([startWaypost(), CorpSlapd.start({ syncprov: true, ldif })]);
  ldap = await administrator(server);
});
after(async () => {
  await ldap?.unbind();
  await server?.stop();
  await corp?.stop();
});

async function status(name: string): Promise<MirrorStatus> {
  const { sources } = await new AdminClient(server.data).call('sync.status', {});
  return sources.find((source) => source.name === name) as MirrorStatus;
}

async function reaches(name: string, state: string): Promise<void> {
  let last: MirrorStatus | undefined;
  await until(`${name} is ${state}`, async () => {
    last = await status(name);
    return last?.state === state;
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${JSON.stringify(last)}`);
  });
}

/** The code of RCPT. */
async function asked(to: string): Promise<number> {
  const smtp = await SmtpClient.open(server.listeners.smtp);
  await smtp.command('MAIL FROM:<carol@remote.example>');
  const { code } = await smtp.command(`RCPT TO:<${to}>`);
  await smtp.quit();
  return code;
}

test('its people are here as they are there, get mail and log in', { skip }, async () => {
  await ldap.add(`cn=corp,${SOURCES}`, {
    objectClass: 'waypostLdapSource',
    waypostUrl: corp.tlsUrl,
    waypostCa: corp.ca,
    waypostLogin: CORP_READER,
    waypostSecret: CORP_PASSWORD,
    waypostBase: CORP,
    waypostSourceDomain: 'corp.example',
    waypostPoll: '1s',
  });
  await reaches('corp', 'current');
  const { entries, by, csn } = await status('corp');
  assert.equal(entries, PEOPLE + 4);
  assert.equal(by, 'syncrepl');
  assert.match(String(csn), /^\d{14}\.\d{6}Z#/);
  assert.equal(await asked('u7@corp.example'), 250);
  const imap = await ImapClient.login(server.listeners.imap, 'u7@corp.example', 'secret');
  await imap.logout();
});

test('what is added, renamed, moved and deleted there is so here', { skip }, async () => {
  corp.change(corpPerson('new'));
  await until('new is here', async () => (await asked('new@corp.example')) === 250);
  corp.change(`dn: uid=new,ou=people,${CORP}
changetype: modify
replace: mail
mail: neu@corp.example
`);
  await until('the address is another', async () => (await asked('neu@corp.example')) === 250);
  corp.change(`dn: ou=people,${CORP}
changetype: modrdn
newrdn: ou=staff
deleteoldrdn: 1
`);
  const { searchEntries } = await untilFound(`uid=u7,ou=staff,${CORP}`);
  assert.equal(searchEntries[0]!['mail'], 'u7@corp.example');
  assert.equal(await asked('u7@corp.example'), 250);
  corp.change(`dn: uid=u8,ou=staff,${CORP}
changetype: delete
`);
  await until('u8 is gone', async () => (await status('corp')).entries === PEOPLE + 4);
  corp.change(`dn: ou=staff,${CORP}
changetype: modrdn
newrdn: ou=people
deleteoldrdn: 1
`);
  await untilFound(`uid=u7,ou=people,${CORP}`);
});

async function untilFound(dn: string) {
  let found: Awaited<ReturnType<Client['search']>> | undefined;
  await until(dn, async () => {
    found = await ldap.search(dn, { scope: 'base' }).catch(() => undefined);
    return found !== undefined;
  });
  return found!;
}

const record = (more: string): string => `dn: cn=probed,${SOURCES}
objectClass: waypostLdapSource
cn: probed
waypostUrl: ${corp.url}
waypostBase: ${CORP}
waypostLogin: ${CORP_READER}
waypostSourceDomain: corp.example
${more}
`;

test('a probe says what a source would bring, and saves nothing', { skip }, async () => {
  const admin = new AdminClient(server.data);
  const probe = await admin.call('directory.probe', { ldif: record(`waypostSecret: ${CORP_PASSWORD}`) });
  const { source, server: product, by, users, lists, unreadable, examples } = probe;
  assert.deepEqual({ source, product, by, lists }, { source: 'probed', product: 'OpenLDAP', by: 'syncrepl', lists: 0 });
  assert.equal(users, PEOPLE);
  assert.deepEqual(unreadable, ['userPassword, so that logins ask your server each time: 1 of 250']);
  assert.equal(examples.length, 5);
  assert.deepEqual(examples[0]!.addresses, ['u0@corp.example']);
  assert.equal((await admin.call('directory.probe', { source: 'corp' })).users, PEOPLE);
  for (const uid of ['twin1', 'twin2']) corp.change(corpPerson(uid, 'mail: both@corp.example'));
  const [twice] = (await admin.call('directory.probe', { source: 'corp' })).unreadable;
  assert.equal(twice, 'addresses of several entries, which lead to none of them, such as both@corp.example: 1 of 253');
  for (const uid of ['twin1', 'twin2']) corp.change(`dn: uid=${uid},ou=people,${CORP}\nchangetype: delete\n`);
  await assert.rejects(admin.call('directory.probe', { ldif: record('waypostSecret: wrong') }), /bind .* is refused/);
  const nobody = record(`waypostSecret: ${CORP_PASSWORD}\nwaypostUserFilter: (uid=none)`);
  assert.equal((await admin.call('directory.probe', { ldif: nobody })).users, 0);
  // Nobody would match, and nothing would say so.
  for (const [filter, said] of [
    ['(&(objectClass=person)(memberOf=cn=mail,ou=groups,dc=corp,dc=example))', /memberOf cannot be followed/],
    ['(!(accountState=gone))', /does not know accountState/],
    ['(memberOf:1.2.840.113556.1.4.1941:=cn=mail)', /does not know 1\.2\.840\.113556\.1\.4\.1941/],
    ['(jpegPhoto=*a*)', /does not know jpegPhoto/],
  ] as const)
    await assert.rejects(admin.call('directory.probe', { ldif: record(`waypostUserFilter: ${filter}`) }), said);
  await assert.rejects(
    admin.call('directory.probe', { ldif: record('waypostHold: for ever') }),
    /legal are mirror, cache/,
  );
  await assert.rejects(ldap.search(`cn=probed,${SOURCES}`, { scope: 'base' }));
});

test('the exit code of a probe says whether it would work', { skip }, async () => {
  const secret = `waypostSecret: ${CORP_PASSWORD}`;
  const away = record(secret).replace(corp.url, `ldap://127.0.0.1:${await freePort()}`);
  assert.match(await probed('corp'), /^0 server +OpenLDAP at .*\nusers +250\n.*u0@corp\.example.*login by its hash/s);
  assert.match(await probed(file('good', record(secret))), /^0 server +OpenLDAP/);
  assert.match(await probed(file('nobody', record(`${secret}\nwaypostUserFilter: (uid=none)`))), /^1 .*\nusers +0\n/s);
  assert.match(await probed(file('refused', record('waypostSecret: wrong'))), /^77 .*bind .* is refused/s);
  assert.match(await probed(file('away', away)), /^75 /);
  assert.match(await probed('unknown'), /^1 .*unknown is not a source/s);
  await corp.hang();
  try {
    assert.match(await probed('corp'), /^75 /);
  } finally {
    corp.goOn();
  }
});

function file(name: string, ldif: string): string {
  const path = join(corp.directory, `${name}.ldif`);
  writeFileSync(path, ldif);
  return path;
}

/** Exit code and what the command has said, by a process of its own. */
async function probed(source: string): Promise<string> {
  const command = join(import.meta.dirname, '../waypost');
  const words = ['directory', 'probe', source, '--data', server.data];
  return promisify(execFile)(command, words).then(
    ({ stdout }) => `0 ${stdout}`,
    ({ code, stdout, stderr }) => `${code} ${stdout}${stderr}`,
  );
}

test('a domain that is off the list waits, and comes back with it', { skip }, async () => {
  const { Attribute, Change } = await import('ldapts');
  const list = (...values: string[]) =>
    ldap.modify(
      `cn=corp,${SOURCES}`,
      new Change({ operation: 'replace', modification: new Attribute({ type: 'waypostSourceDomain', values }) }),
    );
  await list();
  assert.equal(await asked('u7@corp.example'), 451);
  await list('corp.example');
  assert.equal(await asked('u7@corp.example'), 250);
  await assert.rejects(
    ldap.add(`cn=rival,${SOURCES}`, {
      objectClass: 'waypostLdapSource',
      waypostUrl: corp.url,
      waypostBase: `ou=people,${CORP}`,
    }),
    /overlaps/,
  );
  await assert.rejects(
    ldap.add(`cn=clear,${SOURCES}`, {
      objectClass: 'waypostLdapSource',
      waypostUrl: 'ldap://192.0.2.1',
      waypostLogin: 'cn=x',
      waypostBase: 'dc=elsewhere',
    }),
    /clear text/,
  );
});

test('our doors refuse to change it, and say where it is changed', { skip }, async () => {
  const { Attribute, Change } = await import('ldapts');
  const change = new Change({ operation: 'replace', modification: new Attribute({ type: 'sn', values: ['x'] }) });
  await assert.rejects(ldap.modify(`uid=u7,ou=people,${CORP}`, change), /mirrored from corp.*0xa/);
  await assert.rejects(ldap.del(`uid=u7,ou=people,${CORP}`));
  await assert.rejects(ldap.add(`uid=own,ou=people,${CORP}`, { objectClass: 'inetOrgPerson', cn: 'x', sn: 'x' }));
  const metrics = await metricsText(server);
  assert.match(metrics, /^waypost_source_entries\{source="corp"\} \d+$/m);
  const admin = new AdminClient(server.data);
  await assert.rejects(admin.call('user.remove', { address: 'u7@corp.example' }), (error: Failure) => {
    assert.equal(error.kind, 'denied');
    assert.match(error.message, /mirrored from corp.*dn: uid=u7,.*changetype: delete/s);
    return true;
  });
});
