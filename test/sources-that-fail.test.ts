// Two sources, one that tells its changes and one that is asked: hung, killed, restored from an older backup, restored empty.
// Who is known gets mail all the while, and both directories are the same in the end.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import type { MirrorStatus } from '../src/provisioning/mirror/source-mirror.ts';
import { CORP, CORP_PASSWORD, CORP_READER, CorpSlapd } from './support/corp-slapd.ts';
import { administrator } from './support/directory.ts';
import { peersMissing } from './support/peers.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const skip = peersMissing('slapd', 'ldapmodify');
/** Five seconds of silence each. */
const hangsBoth = process.env['LDAP_LONG'] !== undefined;
const SOURCES = 'ou=Sources,ou=Waypost,o=internet';
const PEOPLE = 150;
const KILLS = Number(process.env['SOURCE_KILLS'] ?? 2);

interface Source {
  readonly name: string;
  readonly base: string;
  readonly slapd: CorpSlapd;
}

let server: Waypost;
let ldap: Client;
let told: Source;
let polled: Source;

const person = ({ name, base }: Pick<Source, 'name' | 'base'>, uid: string): string => `dn: uid=${uid},${base}
objectClass: inetOrgPerson
uid: ${uid}
cn: ${uid}
sn: ${uid}
mail: ${uid}@${name}.example

`;

async function startSource(name: string, base: string, syncprov: boolean): Promise<Source> {
  const people = Array.from({ length: PEOPLE }, (_, i) => person({ name, base }, `u${i}`)).join('');
  return { name, base, slapd: await CorpSlapd.start({ syncprov, ldif: people }) };
}

before(async () => {
  if (skip !== false) return;
  [server, told, polled] = await Promise.all([
    startWaypost(),
    startSource('told', `ou=people,${CORP}`, true),
    startSource('polled', `ou=groups,${CORP}`, false),
  ]);
  ldap = await administrator(server);
  for (const { name, base, slapd } of [told, polled])
    await ldap.add(`cn=${name},${SOURCES}`, {
      objectClass: 'waypostLdapSource',
      waypostUrl: slapd.url,
      waypostLogin: CORP_READER,
      waypostSecret: CORP_PASSWORD,
      waypostBase: base,
      waypostSourceDomain: `${name}.example`,
      waypostPoll: '1s',
    });
});
after(async () => {
  await ldap?.unbind();
  await server?.stop();
  await told?.slapd.stop();
  await polled?.slapd.stop();
});

async function status(name: string): Promise<MirrorStatus> {
  const { sources } = await new AdminClient(server.data).call('sync.status', {});
  return sources.find((source) => source.name === name) as MirrorStatus;
}

async function reaches({ name }: Source, state: string): Promise<void> {
  let last: MirrorStatus | undefined;
  await until(`${name} is ${state}`, async () => {
    last = await status(name);
    return last?.state === state;
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${JSON.stringify(last)}`);
  });
}

async function codeOf(to: string): Promise<number> {
  const smtp = await SmtpClient.open(server.listeners.smtp);
  await smtp.command('MAIL FROM:<carol@remote.example>');
  const { code } = await smtp.command(`RCPT TO:<${to}>`);
  await smtp.quit();
  return code;
}

const isHere = async ({ name }: Source, uid: string) => (await codeOf(`${uid}@${name}.example`)) === 250;

/** Names below the source's base, there and here. */
async function isEqual({ base, slapd }: Source): Promise<boolean> {
  const there = [...slapd.backup().matchAll(/^dn: (.*)$/gm)].map(([, dn]) => dn!).filter((dn) => dn.endsWith(base));
  const { searchEntries } = await ldap.search(base, { attributes: ['1.1'], paged: { pageSize: 500 } });
  return (
    there.sort().join('\n') ===
    searchEntries
      .map(({ dn }) => dn)
      .sort()
      .join('\n')
  );
}

const gone = (source: Source, uid: string): string => `dn: uid=${uid},${source.base}\nchangetype: delete\n\n`;

test('both are followed', { skip }, async () => {
  for (const source of [told, polled]) {
    await reaches(source, 'current');
    assert.ok(await isHere(source, 'u1'));
    source.slapd.change(person(source, 'later'));
    await until('the later one is here', () => isHere(source, 'later'));
  }
  assert.equal((await status('told')).by, 'syncrepl');
  assert.equal((await status('polled')).by, 'polling');
});

test('two who have swapped their addresses there have swapped them here', { skip }, async () => {
  const { name, base, slapd } = polled;
  const mail = (uid: string, of: string) =>
    `dn: uid=${uid},${base}\nchangetype: modify\nreplace: mail\nmail: ${of}@${name}.example\n\n`;
  slapd.change(`${mail('u140', 'u141')}${mail('u141', 'u140')}`);
  const has = async (uid: string, of: string) => {
    const { searchEntries } = await ldap.search(`uid=${uid},${base}`, { scope: 'base', attributes: ['mail'] });
    return searchEntries[0]?.['mail'] === `${of}@${name}.example`;
  };
  await until('they have swapped', async () => (await has('u140', 'u141')) && (await has('u141', 'u140')));
  assert.ok((await isHere(polled, 'u140')) && (await isHere(polled, 'u141')));
  await until('nobody is refused', async () => (await status(name)).refused.length === 0);
});

test('a source that hangs takes nobody away, and is followed again when it goes on', { skip }, async () => {
  for (const source of hangsBoth ? [told, polled] : [told]) {
    await source.slapd.hang();
    try {
      await reaches(source, 'retrying');
      assert.ok(await isHere(source, 'u1'));
    } finally {
      source.slapd.goOn();
    }
    await reaches(source, 'current');
  }
});

test('a source that is killed and comes back with an older backup: here is what is there', { skip }, async () => {
  for (const source of [told, polled]) {
    const { slapd } = source;
    const backup = slapd.backup();
    slapd.change(`${person(source, 'after')}${gone(source, 'u2')}`);
    await until('the change is here', () => isHere(source, 'after'));
    await slapd.kill();
    await reaches(source, 'retrying');
    assert.ok(await isHere(source, 'u1'));
    slapd.restore(backup);
    await slapd.run();
    await until(`${source.name} is what it is there`, () => isEqual(source));
    assert.ok(await isHere(source, 'u2'));
    await reaches(source, 'current');
  }
});

test('a server of ours that is killed while it follows goes on from where it was, and has what is there', {
  skip,
}, async () => {
  for (let round = 0; round < KILLS; round++) {
    const changing = Promise.all([told, polled].map((source) => changeAtRandom(source, round)));
    await new Promise((turn) => setTimeout(turn, Math.random() * 1000));
    const before = (await status('told')).csn;
    await server.kill9();
    await changing;
    await restarted();
    assert.ok(String((await status('told')).csn) >= String(before));
    for (const source of [told, polled]) {
      await reaches(source, 'current');
      await until(`${source.name} is what it is there`, () => isEqual(source));
      assert.deepEqual(await mailHere(source), mailThere(source));
    }
  }
});

async function restarted(): Promise<void> {
  await ldap.unbind().catch(() => {});
  await server.restart();
  ldap = await administrator(server);
}

/** People come, go, and get other names and addresses, while they are followed. */
async function changeAtRandom({ name, base, slapd }: Source, round: number): Promise<void> {
  const changes: string[] = [];
  for (let i = 0; i < 40; i++) {
    const uid = `k${round}-${i}`;
    const dn = `dn: uid=${uid},${base}\nchangetype: `;
    changes.push(person({ name, base }, uid));
    if (i % 4 === 1) changes.push(`${dn}delete\n\n`);
    if (i % 4 === 2) changes.push(`${dn}modrdn\nnewrdn: uid=${uid}-renamed\ndeleteoldrdn: 1\n\n`);
    if (i % 4 === 3) changes.push(`${dn}modify\nreplace: mail\nmail: ${uid}-other@${name}.example\n\n`);
  }
  for (let at = 0; at < changes.length; at += 10) await slapd.changeBeside(changes.slice(at, at + 10).join(''));
}

const byName = (pairs: (readonly [string, string])[]) =>
  new Map(pairs.sort(([one], [other]) => (one < other ? -1 : 1)));

function mailThere({ base, slapd }: Source): Map<string, string> {
  const records = slapd.backup().replaceAll('\n ', '').split('\n\n');
  const value = (text: string, of: string) => new RegExp(`^${of}: (.*)$`, 'm').exec(text)?.[1] ?? '';
  const people = records.filter((text) => /^dn: uid=/m.test(text) && value(text, 'dn').endsWith(base));
  return byName(people.map((text) => [value(text, 'dn'), value(text, 'mail')] as const));
}

async function mailHere({ base }: Source): Promise<Map<string, string>> {
  const asked = { filter: '(uid=*)', attributes: ['mail'], paged: { pageSize: 500 } };
  const { searchEntries } = await ldap.search(base, asked);
  return byName(searchEntries.map(({ dn, mail }) => [dn, String(mail)] as const));
}

test('one that is restored and has gone on since is compared: its feed names what is older than ours as unchanged', {
  skip,
}, async () => {
  const { slapd, base } = told;
  const nameOf = async (): Promise<unknown> => {
    const { searchEntries } = await ldap.search(`uid=u4,${base}`, { scope: 'base', attributes: ['sn'] });
    return searchEntries[0]?.['sn'];
  };
  const backup = slapd.backup();
  slapd.change(
    `dn: uid=u4,${base}\nchangetype: modify\nreplace: sn\nsn: another\n\n${gone(told, 'u3')}${person(told, 'lost')}`,
  );
  await until('the changes are here', async () => (await isHere(told, 'lost')) && (await nameOf()) === 'another');
  await slapd.kill();
  await reaches(told, 'retrying');
  // What was added last makes it newer than what we have seen.
  slapd.restore(`${backup}${person(told, 'since')}`);
  await slapd.run();
  await until('the later one is here', () => isHere(told, 'since'));
  await until('all is what it is there', async () => (await isEqual(told)) && (await nameOf()) === 'u4');
  assert.ok(await isHere(told, 'u3'));
  await reaches(told, 'current');
});

test('one that has lost most of its entries is not believed until somebody says so', { skip }, async () => {
  for (const source of [told, polled]) {
    const { slapd, name } = source;
    const backup = slapd.backup();
    const few = backup
      .split('\n\n')
      .filter((record) => !/^dn: uid=(u\d\d|k)/.test(record))
      .join('\n\n');
    await slapd.kill();
    slapd.restore(few);
    await slapd.run();
    await reaches(source, 'held');
    assert.ok(await isHere(source, 'u77'));
    assert.match(String((await status(name)).lastError), /sync --source .* --accept-removals/);
    slapd.change(person(source, 'meanwhile'));
    await until('the rest is followed', () => isHere(source, 'meanwhile'));
    await new AdminClient(server.data).call('sync.source', { source: name, acceptRemovals: true });
    await until(`${name} is what it is there`, () => isEqual(source));
    await reaches(source, 'current');
    assert.equal(await isHere(source, 'u77'), false);
  }
});
