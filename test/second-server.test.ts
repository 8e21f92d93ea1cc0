// Two started programs with one directory: what is written at either is routable at both when it is acknowledged.
//
// The second one follows over TLS by the first one's name, whose certificate is of its own authority. All tests share the two: a
// start costs more than what most of them do.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { Attribute, Change, Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { CHANGE_LIST } from '../src/wire/ldap/extended/change-list.ts';
import { LdapFramer } from '../src/wire/ldap/framer.ts';
import { decodeRequest, encodeResponse } from '../src/wire/ldap/message.ts';
import { START_TLS } from '../src/wire/ldap/operations/extended.ts';
import { result } from '../src/wire/ldap/result.ts';
import { Bind } from './support/bind.ts';
import { TestAuthority } from './support/certificates.ts';
import { CORP, CORP_PASSWORD, CORP_READER, CorpSlapd } from './support/corp-slapd.ts';
import {
  ADMINISTRATOR,
  addDomain,
  addUser,
  administrator,
  domainDn,
  PASSWORD,
  replaceAttribute,
  userDn,
} from './support/directory.ts';
import { DnsTestServer } from './support/dns-server.ts';
import { freeOffset } from './support/free-ports.ts';
import { Lines } from './support/lines.ts';
import { metricsText } from './support/metrics.ts';
import { mutated } from './support/mutate.ts';
import { peersMissing } from './support/peers.ts';
import { logInByScram, ScramClient } from './support/scram-client.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const [MX1, MX2] = ['mx1.hosts.example', 'mx2.hosts.example'] as const;
const MESSAGE = Buffer.from('From: carol@remote.example\r\nSubject: hello\r\n\r\ntext\r\n');
/** Of this test alone: a server that was killed comes back where it was. */
const NET = `127.${64 + (process.pid % 128)}.${(process.pid >> 7) % 256}`;
const OFFSET = await freeOffset();
const environment = (name: string, address: string) => ({
  WAYPOST_HOSTNAME: name,
  WAYPOST_LISTEN: address,
  WAYPOST_PORT_OFFSET: String(OFFSET),
});
/** Offered, whoever has no keys. */
const SCRAM = '[auth]\nscram = "on"\n';
/** {SSHA} of `secret`: without keys for SCRAM, and a login replaces it. */
const OTHER_HASH = '{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0';
const hostDn = (name: string): string => `cn=${name},ou=Hosts,ou=Waypost,o=internet`;

let mx1: Waypost;
let mx2: Waypost;
let folder: string;
let names: DnsTestServer;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waypost-second-'));
  names = await DnsTestServer.start();
  names.addresses(MX1, `${NET}.2`);
  mx1 = await startWaypost({ config: SCRAM, env: environment(MX1, `${NET}.2`) });
  const added = await new AdminClient(mx1.data).call('host.add', { name: MX2 });
  writeFileSync(join(folder, 'password'), added.password!);
  const first = await administrator(mx1);
  await addDomain(first, 'acme.example');
  await addUser(first, 'ann@acme.example');
  // What the second one does not see: a serial holds it all the same.
  await addDomain(first, 'gone.acme.example');
  await first.del(domainDn('gone.acme.example'));
  await replaceAttribute(first, domainDn('acme.example'), 'description', ['a change of no record']);
  await first.unbind();
  mx2 = await startWaypost({ config: replicaConfig(), env: environment(MX2, `${NET}.3`) });
  await Promise.all([tellPort(mx1, MX1), tellPort(mx2, MX2)]);
});
after(async () => {
  await mx2?.stop();
  await mx1?.stop();
  await corp?.stop();
  await names?.close();
  rmSync(folder, { recursive: true, force: true });
});

function replicaConfig(scheme: 'ldaps' | 'ldap' = 'ldaps'): string {
  return `resolver = ["${names.server}"]
${SCRAM}[tls]
outgoing-ca = "${join(mx1.data, 'tls/ca.pem')}"
[directory]
provider = "${scheme}://${MX1}:${mx1.listeners[scheme].port}"
password-file = "${join(folder, 'password')}"
`;
}

/** Its SMTP listener has a free port. */
async function tellPort({ listeners }: Waypost, name: string): Promise<void> {
  const client = await administrator(mx1);
  const modification = new Attribute({ type: 'waypostHostPort', values: [String(listeners.smtp.port)] });
  await client.modify(hostDn(name), new Change({ operation: 'replace', modification }));
  await client.unbind();
}

/** The administrator at mx2, who has no file of the password there. */
async function manager(server: Waypost): Promise<Client> {
  if (server === mx1) return administrator(mx1);
  const { host, port } = server.listeners.ldap;
  const client = new Client({ url: `ldap://${host}:${port}` });
  await client.bind(ADMINISTRATOR, mx1.ldap.password);
  return client;
}

/** What RCPT says. */
async function said(server: Waypost, address: string): Promise<string> {
  const client = await SmtpClient.open(server.listeners.smtp);
  await client.command('MAIL FROM:<carol@remote.example>');
  const { code, lines } = await client.command(`RCPT TO:<${address}>`);
  await client.quit();
  return `${code} ${lines.join(' ')}`;
}

async function rcpt(server: Waypost, address: string): Promise<number> {
  return Number((await said(server, address)).slice(0, 3));
}

async function digest(server: Waypost): Promise<unknown> {
  return new AdminClient(server.data).call('sync.digest', {});
}

/** Nothing is on its way. */
async function together(): Promise<void> {
  const same = async (): Promise<boolean> => JSON.stringify(await digest(mx2)) === JSON.stringify(await digest(mx1));
  await until('the same directory', same);
}

const statusOf = (server: Waypost) => new AdminClient(server.data).call('status', {});

async function metric(server: Waypost, name: string): Promise<number | undefined> {
  const found = (await metricsText(server))
    .split('\n')
    .find((line) => line.startsWith(name))
    ?.split(' ')
    .at(-1);
  return found === undefined ? undefined : Number(found);
}

test('ldapadd on either, and at once RCPT at either is accepted; a removal likewise', async () => {
  let number = 0;
  for (const writer of [mx1, mx2]) {
    const client = await manager(writer);
    for (let i = 0; i < 5; i++) {
      const address = `n${++number}@acme.example`;
      await addUser(client, address);
      assert.deepEqual(await Promise.all([rcpt(mx1, address), rcpt(mx2, address)]), [250, 250], address);
      await client.del(userDn(address));
      // Where it was removed, at once; at the other it was there a moment ago.
      assert.equal(await rcpt(writer, address), 550, address);
      await until('the removal', async () => (await rcpt(writer === mx1 ? mx2 : mx1, address)) === 550);
    }
    await client.unbind();
  }
  assert.deepEqual(await digest(mx2), await digest(mx1));
});

test('each says how it stands with the other', async () => {
  await together();
  const [first, second] = await Promise.all([statusOf(mx1), statusOf(mx2)]);
  assert.deepEqual([first.provider, first.followers.map(({ hostname }) => hostname)], [null, [MX2]]);
  assert.deepEqual(second.followers, []);
  const { url, hostname, state, csn, lagMs, lastError } = second.provider!;
  assert.deepEqual([hostname, state, lastError], [MX1, 'current', null]);
  assert.equal(url, `ldaps://${MX1}:${mx1.listeners.ldaps.port}`);
  assert.ok(csn !== null && lagMs !== null && lagMs >= 0);
  const { provider } = await new AdminClient(mx2.data).call('sync.status', {});
  assert.equal(provider?.csn, csn);
  const command = join(import.meta.dirname, '../waypost');
  const stdout = execFileSync(command, ['status', '--data', mx2.data], { encoding: 'utf8' });
  assert.match(
    stdout,
    /^follows +ldaps:.*: current, connected since .*Z, all up to \d{14}\..* is here, at most \d+ s behind$/m,
  );
  assert.equal(await metric(mx1, 'waypost_followers'), 1);
  assert.equal(await metric(mx2, `waypost_provider_current{provider="${MX1}"}`), 1);
  assert.ok((await metric(mx2, 'waypost_provider_lag_seconds'))! >= 0);
});

const digMissing = peersMissing('dig');

function serialOf({ listeners }: Waypost, zone: string): number {
  const { host, port } = listeners.dns;
  const asked = [`@${host}`, '-p', String(port), '+short', '+time=20', '+tries=3', zone, 'SOA'];
  return Number(execFileSync('dig', asked, { encoding: 'utf8' }).split(' ')[2]);
}

/** What who has the zone at this serial is told, each record behind the number of its part; without the names of who tells it. */
function differenceOf({ listeners }: Waypost, zone: string, serial: number): readonly string[] {
  const { host, port } = listeners.dns;
  const asked = [`@${host}`, '-p', String(port), '+tcp', '+noall', '+answer', '+time=20', zone, `IXFR=${serial}`];
  const lines = execFileSync('dig', asked, { encoding: 'utf8' }).split('\n');
  let part = 0;
  const told = lines.flatMap((line) => {
    if (line === '' || line.startsWith(';')) return [];
    if (/\sSOA\s/.test(line)) part++;
    return `${part} ${line.replace(/(\sSOA)\s+\S+ \S+/, '$1')}`;
  });
  // Each names its own host first.
  return told.sort();
}

test('serials are those of mx1, also of zones whose names have come and gone', { skip: digMissing }, async () => {
  const [top, below] = ['acme.example', 'sub.acme.example'];
  const zones = [top, 'other.example'];
  const same = async (): Promise<number> => {
    await together();
    const [here, there] = [mx1, mx2].map((server) => zones.map((zone) => serialOf(server, zone)));
    assert.deepEqual(there, here);
    return here![0]!;
  };
  const [at1, at2] = await Promise.all([manager(mx1), manager(mx2)]);
  await addDomain(at2, 'other.example');
  await at2.add('cn=secondary,ou=Hosts,ou=Waypost,o=internet', {
    ...{ objectClass: 'waypostNameServer', cn: 'secondary' },
    ...{ waypostNameServerRole: 'secondary', waypostNameServerAddress: '127.0.0.1' },
  });
  let last = await same();
  const serials = [last];
  for (const client of [at1, at2]) {
    const rises: (() => Promise<void>)[] = [
      () => addDomain(client, below),
      () => client.del(domainDn(below)),
      // Nothing of it is told: it was not there when it is.
      async () => {
        const added = ['domain', 'inetDomain', 'mailDomain'].map((name) => `objectClass: ${name}`).join('\n');
        const record = `dn: ${domainDn(below)}\nchangetype: `;
        await client.exop(CHANGE_LIST, `${record}add\n${added}\ndc: sub\n\n${record}delete\n`);
      },
    ];
    for (const change of rises) {
      await change();
      const now = await same();
      assert.ok(now > last, `${now} behind ${last}`);
      last = now;
      serials.push(now);
    }
    await replaceAttribute(client, domainDn(top), 'description', [`by ${client === at1 ? 1 : 2}`]);
    assert.equal(await same(), last);
  }
  for (const serial of serials.slice(0, -1)) {
    const [here, there] = [mx1, mx2].map((server) => differenceOf(server, top, serial));
    assert.deepEqual(there, here);
    // Two are around a whole zone.
    assert.equal(there!.filter((line) => line.includes('SOA')).length, 4);
  }
  await Promise.all([at1.unbind(), at2.unbind()]);
});

const bindMissing = peersMissing('dig', 'named');

test('BIND that follows mx2 alone is told differences, also of what has changed at mx1 while mx2 was away', {
  skip: bindMissing,
}, async () => {
  const { host, port } = mx2.listeners.dns;
  const client = await administrator(mx1);
  const begun = mx2.stderr().length;
  const bind = await Bind.start({
    more: `zone "acme.example" { type secondary; file "acme.db"; masterfile-format text; max-refresh-time 1;
      max-retry-time 1; primaries { ${host} port ${port}; }; };`,
  });
  const asked = (name: string, type: string): string =>
    execFileSync('dig', ['@127.0.0.1', '-p', String(bind.port), '+short', name, type], { encoding: 'utf8' }).trim();
  try {
    await until('the zone', () => asked('acme.example', 'SOA') !== '');
    await mx2.said(/"kind":"axfr"/, begun);
    const kinds = (): readonly string[] =>
      mx2
        .stderr()
        .slice(begun)
        .match(/"kind":"(axfr|ixfr)"/g) ?? [];
    const change = async (name: string, address: string): Promise<void> => {
      const dn = `dc=${name},${domainDn('acme.example')}`;
      await client.add(dn, { objectClass: 'dNSDomain', dc: name, aRecord: address });
    };
    await change('one', '192.0.2.1');
    await until('the change', () => asked('one.acme.example', 'A') === '192.0.2.1');
    await until('a difference', () => kinds().length === 2);
    await mx2.kill9();
    await change('two', '192.0.2.2');
    await client.del(`dc=one,${domainDn('acme.example')}`);
    await change('three', '192.0.2.3');
    await mx2.restart();
    await until('what has changed', () => asked('three.acme.example', 'A') === '192.0.2.3');
    assert.deepEqual([asked('one.acme.example', 'A'), asked('two.acme.example', 'A')], ['', '192.0.2.2']);
    await until('another difference', () => kinds().length === 3);
    assert.deepEqual(kinds(), ['"kind":"axfr"', '"kind":"ixfr"', '"kind":"ixfr"']);
    await client.unbind();
    await together();
  } finally {
    await bind.stop();
  }
});

test('who sends is served at both; mail is read where mailHost says, and the other one names that host', async () => {
  const client = await manager(mx2);
  await addUser(client, 'bob@acme.example', { mailHost: MX2 });
  await client.unbind();
  for (const [server, login] of [
    [mx1, 'ann@acme.example'],
    [mx2, 'bob@acme.example'],
  ] as const) {
    const smtp = await SmtpClient.open(server.listeners.submission, { login, password: PASSWORD });
    await smtp.send(login, ['ann@acme.example', 'bob@acme.example'], MESSAGE);
    await smtp.quit();
  }
  assert.equal(await arrived(mx1, 'ann@acme.example', 2), 2);
  assert.equal(await arrived(mx2, 'bob@acme.example', 2), 2);
  // ann's entry names no host: hers is the first server's.
  for (const [server, user, other] of [
    [mx2, 'ann', MX1],
    [mx1, 'bob', MX2],
  ] as const) {
    const login = (password: string) => ImapClient.login(server.listeners.imap, `${user}@acme.example`, password);
    const referral = `NO [REFERRAL imap://${user}%40acme.example;AUTH=*@${other}/] your mailbox is at ${other}`;
    await assert.rejects(login(PASSWORD), { message: `t1 ${referral}` });
    await assert.rejects(login('wrong'), { message: /^t1 NO \[AUTHENTICATIONFAILED\]/ });
    const account = { login: `${user}@acme.example`, password: PASSWORD };
    await (await SmtpClient.open(server.listeners.submission, account)).quit();
  }
});

async function arrived(server: Waypost, login: string, count: number): Promise<number> {
  let found = 0;
  await until(`${count} messages of ${login}`, async () => {
    const imap = await ImapClient.login(server.listeners.imap, login, PASSWORD);
    found = (await imap.fetchAll()).length;
    await imap.logout();
    return found >= count;
  });
  return found;
}

test('changes at the second server are made as by whom has asked, by LDAP, commands and /v1', async () => {
  const { host, port } = mx2.listeners.ldap;
  const ann = new Client({ url: `ldap://${host}:${port}` });
  await ann.bind(userDn('ann@acme.example'), PASSWORD);
  const modification = new Attribute({ type: 'displayName', values: ['Ann'] });
  await ann.modify(userDn('ann@acme.example'), new Change({ operation: 'replace', modification }));
  await assert.rejects(
    ann.modify(userDn('bob@acme.example'), new Change({ operation: 'replace', modification })),
    /50|InsufficientAccess/i,
  );
  // Who changes an own password stays logged in where that was done.
  const password = new Attribute({ type: 'userPassword', values: ['another'] });
  await ann.modify(userDn('ann@acme.example'), new Change({ operation: 'replace', modification: password }));
  assert.equal((await ann.search(userDn('ann@acme.example'), { scope: 'base' })).searchEntries.length, 1);
  await ann.unbind();
  const first = await administrator(mx1);
  const { searchEntries } = await first.search(userDn('ann@acme.example'), {
    scope: 'base',
    attributes: ['displayName', 'modifiersName'],
  });
  await first.unbind();
  assert.deepEqual(
    [searchEntries[0]?.['displayName'], searchEntries[0]?.['modifiersName']],
    ['Ann', userDn('ann@acme.example')],
  );
  const at2 = new AdminClient(mx2.data);
  const added = await at2.call('user.add', { address: 'cora@acme.example', password: PASSWORD });
  assert.equal(added.revision, (await at2.call('sync.digest', {})).revision);
  assert.deepEqual([await rcpt(mx1, 'cora@acme.example'), await rcpt(mx2, 'cora@acme.example')], [250, 250]);
  const token = await at2.call('token.add', { account: 'cora@acme.example', name: 'phone', scopes: ['imap'] });
  assert.equal((await at2.call('token.list', { account: 'cora@acme.example' }))[0]?.name, 'phone');
  assert.ok(token.token);
  await assert.rejects(at2.call('user.add', { address: 'cora@acme.example', password: PASSWORD }), /exists already/);
  assert.deepEqual(await digest(mx2), await digest(mx1));
});

test('/v1 at the second server reads there, and hands on what it writes, as whose token asks', async () => {
  const ask = async (token: string, name: string, input: object) => {
    const { host, port } = mx2.listeners.https;
    const ca = readFileSync(join(mx2.data, 'tls/ca.pem'));
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const asked = request({ method: 'POST', host, port, path: `/v1/${name}`, headers, ca, servername: MX2 });
    asked.end(JSON.stringify(input));
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
    return response.statusCode;
  };
  const admin = new AdminClient(mx2.data);
  const [ops, own] = await Promise.all([
    admin.call('token.add', { name: 'ops', scopes: ['api'] }),
    new AdminClient(mx1.data).call('token.add', { account: 'cora@acme.example', name: 'own', scopes: ['api'] }),
  ]);
  await together();
  assert.equal(await ask(ops.token!, 'user/show', { address: 'cora@acme.example' }), 200);
  assert.equal(await ask(ops.token!, 'user/add', { address: 'vic@acme.example', password: PASSWORD }), 200);
  assert.deepEqual([await rcpt(mx1, 'vic@acme.example'), await rcpt(mx2, 'vic@acme.example')], [250, 250]);
  assert.equal(await ask(ops.token!, 'user/add', { address: 'vic@acme.example', password: PASSWORD }), 409);
  assert.equal(await ask(own.token!, 'user/add', { address: 'wes@acme.example' }), 403);
  const first = await administrator(mx1);
  const { searchEntries } = await first.search(userDn('vic@acme.example'), {
    ...{ scope: 'base', attributes: ['creatorsName'] },
  });
  await first.unbind();
  assert.equal(searchEntries[0]?.['creatorsName'], ADMINISTRATOR);
  // Taken away at the other server, it is over here.
  await new AdminClient(mx1.data).call('token.remove', { name: 'ops' });
  await together();
  assert.equal(await ask(ops.token!, 'user/list', {}), 401);
});

test('hashes and keys that a login at either brings are at both', async () => {
  const withoutKeys = async (): Promise<number> => (await statusOf(mx1)).scram.without;
  const before = await withoutKeys();
  const client = await manager(mx2);
  const userPassword = OTHER_HASH;
  await addUser(client, 'sam@acme.example', { mailHost: MX2, userPassword });
  await addUser(client, 'tom@acme.example', { userPassword });
  await client.unbind();
  const [sam, tom] = ['sam@acme.example', 'tom@acme.example'];
  const imap = await ImapClient.login(mx2.listeners.imap, sam, PASSWORD);
  const { host, port } = mx2.listeners.ldap;
  const bound = new Client({ url: `ldap://${host}:${port}` });
  // His mailbox is the other server's.
  await bound.bind(userDn(tom), PASSWORD);
  await until('their keys', async () => (await withoutKeys()) === before);
  assert.equal(await scramLogin(mx2, sam), 'a OK');
  assert.equal(await scramLogin(mx1, tom), 'a OK');
  // The sessions go on: what was replaced is the same password.
  assert.equal(await imap.count(), 0);
  assert.equal((await bound.search(userDn(tom), { scope: 'base' })).searchEntries.length, 1);
  await imap.logout();
  await bound.unbind();
  await together();
});

async function scramLogin({ listeners }: Waypost, login: string): Promise<string> {
  const socket = connect(listeners.imap.port, listeners.imap.host);
  const said = await logInByScram(
    new Lines(socket),
    { protocol: 'imap', mechanism: 'SCRAM-SHA-256' },
    new ScramClient(login, PASSWORD),
  );
  socket.destroy();
  return said.slice(0, 'a OK'.length);
}

test('two people swap their addresses in one change list, and neither is refused at the other server', async () => {
  const [ida, joe] = ['ida@acme.example', 'joe@acme.example'];
  const client = await administrator(mx1);
  await addUser(client, ida);
  await addUser(client, joe);
  const change = (who: string, mail: string) =>
    `dn: ${userDn(who)}\nchangetype: modify\nreplace: mail\nmail: ${mail}\n`;
  let isOver = false;
  const codes = new Map<number, number>();
  const asking = [ida, joe].map(async (address) => {
    const door = await SmtpClient.open(mx2.listeners.smtp);
    while (!isOver) {
      await door.command('MAIL FROM:<carol@remote.example>');
      const { code } = await door.command(`RCPT TO:<${address}>`);
      codes.set(code, (codes.get(code) ?? 0) + 1);
      await door.command('RSET');
    }
    await door.quit();
  });
  for (let swap = 0; swap < SWAPS; swap++) {
    const [one, other] = swap % 2 === 0 ? [joe, ida] : [ida, joe];
    const steps = [change(ida, 'between@acme.example'), change(joe, other!), change(ida, one!)];
    await client.exop(CHANGE_LIST, steps.join('\n'));
  }
  isOver = true;
  await Promise.all(asking);
  await client.unbind();
  assert.deepEqual([...codes.keys()], [250]);
  await together();
});

const slapdMissing = peersMissing('slapd', 'ldapmodify');
const person = (unit: string, uid: string): string => `dn: uid=${uid},ou=${unit},${CORP}
objectClass: inetOrgPerson
uid: ${uid}
cn: ${uid}
sn: ${uid}
mail: ${uid}@${unit}.example
userPassword: ${OTHER_HASH}

`;
let corp: CorpSlapd | undefined;

test('who is of another directory is asked for there by mx1, whichever of the two is asked', {
  skip: slapdMissing,
}, async () => {
  corp = await CorpSlapd.start({
    ldif: `dn: ou=cached,${CORP}\nobjectClass: organizationalUnit\nou: cached\n\n${person('people', 'ann')}${person('cached', 'bea')}${person('cached', 'cas')}`,
    lines: [
      `access to dn.subtree="ou=cached,${CORP}" attrs=userPassword by dn.exact="${CORP_READER}" =w by anonymous auth by * none`,
      `access to dn.subtree="ou=cached,${CORP}" by dn.exact="${CORP_READER}" write by * none`,
    ],
  });
  const client = await manager(mx2);
  const source = (cn: string, more: Record<string, string>) =>
    client.add(`cn=${cn},ou=Sources,ou=Waypost,o=internet`, {
      objectClass: 'waypostLdapSource',
      waypostUrl: corp!.tlsUrl,
      waypostCa: corp!.ca,
      waypostLogin: CORP_READER,
      waypostSecret: CORP_PASSWORD,
      waypostBase: `ou=${cn},${CORP}`,
      waypostSourceDomain: `${cn}.example`,
      ...more,
    });
  await source('people', { waypostPoll: '1h' });
  await source('cached', { waypostHold: 'cache', waypostWrite: 'forward' });
  const people = 'ann@people.example';
  await until('the mirror', async () => (await rcpt(mx2, people)) === 250);
  for (const unit of ['people', 'cached']) {
    const nobody = `nobody@${unit}.example`;
    assert.equal(await rcpt(mx2, nobody), 550, nobody);
    corp.change(person(unit, 'new'));
    assert.deepEqual([await rcpt(mx2, `new@${unit}.example`), await rcpt(mx1, `new@${unit}.example`)], [250, 250]);
  }
  assert.equal(await rcpt(mx2, 'bea@cached.example'), 250);
  // Her hash is not shown: her password is tried there.
  const { host, port } = mx2.listeners.ldap;
  const bea = new Client({ url: `ldap://${host}:${port}` });
  await bea.bind(`uid=bea,ou=cached,${CORP}`, PASSWORD);
  await bea.unbind();
  await assert.rejects(bea.bind(`uid=bea,ou=cached,${CORP}`, 'wrong'), /49|InvalidCredentials/i);
  // A change is made there by the first server's login, and is at both when it is acknowledged.
  await replaceAttribute(client, `uid=bea,ou=cached,${CORP}`, 'mail', ['bee@cached.example']);
  assert.deepEqual([await rcpt(mx2, 'bee@cached.example'), await rcpt(mx2, 'bea@cached.example')], [250, 550]);
  // Two with one address: neither has it, and both servers say so.
  for (const uid of ['twin1', 'twin2'])
    corp.change(person('cached', uid).replace('userPassword', 'mail: both@cached.example\nuserPassword'));
  for (const server of [mx2, mx1])
    assert.match(await said(server, 'both@cached.example'), /^451 4\.3\.5 .*twin1.*twin2/i);
  await corp.hang();
  assert.deepEqual([await rcpt(mx2, people), await rcpt(mx2, 'bee@cached.example')], [250, 250]);
  assert.deepEqual([await rcpt(mx2, 'cas@cached.example'), await rcpt(mx2, 'late@people.example')], [451, 451]);
  corp.goOn();
  await until('the source', async () => (await rcpt(mx2, 'cas@cached.example')) === 250);
  await client.unbind();
  await together();
});

/** The process, among these, that has the other end of this connection here. */
function pidOf({ remoteAddress, remotePort }: Socket, pids: readonly number[]): number | undefined {
  const octets = remoteAddress!.split('.').map(Number).reverse();
  const hex = (value: number, width: number): string => value.toString(16).toUpperCase().padStart(width, '0');
  const local = `${octets.map((octet) => hex(octet, 2)).join('')}:${hex(remotePort!, 4)}`;
  const row = readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .map((line) => line.trim().split(/ +/));
  const inode = row.find((columns) => columns[1] === local)?.[9];
  return pids.find((pid) => globSync(`/proc/${pid}/fd/*`).some((path) => linkOf(path) === `socket:[${inode}]`));
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // It was closed meanwhile.
    return undefined;
  }
}

test('other name servers hear of mx1 alone', async () => {
  const heard: (number | undefined)[] = [];
  const primary = createServer((socket) => {
    heard.push(pidOf(socket, [mx1.pid, mx2.pid]));
    socket.on('error', () => {});
    socket.destroy();
  });
  primary.listen(0, '127.0.0.1');
  await once(primary, 'listening');
  const { port } = primary.address() as { port: number };
  const clients = await Promise.all([manager(mx1), manager(mx2)]);
  await clients[1]!.add('cn=theirs,ou=Hosts,ou=Waypost,o=internet', {
    objectClass: 'waypostNameServer',
    cn: 'theirs',
    waypostNameServerRole: 'primary',
    waypostNameServerAddress: `127.0.0.1:${port}`,
    waypostZone: 'theirs.example',
  });
  for (const [at, client] of clients.entries()) {
    const before = heard.length;
    await addDomain(client, `d${at}.theirs.example`);
    await until('mx1 at the primary', () => heard.slice(before).includes(mx1.pid));
  }
  await together();
  const [{ publishing }, there] = await Promise.all([statusOf(mx2), statusOf(mx1)]);
  assert.deepEqual([publishing.waiting, there.publishing.waiting], [0, 2]);
  await assert.rejects(new AdminClient(mx2.data).call('dns.publish', {}), new RegExp(`${MX1} writes records`));
  // One that has closed before it was looked at is nobody's by then.
  assert.deepEqual([...new Set(heard.filter((pid) => pid !== undefined))], [mx1.pid]);
  await clients[0]!.del('cn=theirs,ou=Hosts,ou=Waypost,o=internet');
  await Promise.all(clients.map((client) => client.unbind()));
  primary.close();
});

/** Stands where mx1 has listened: another one's certificate. */
async function impostor(): Promise<Server> {
  const { key, cert } = new TestAuthority().issue(MX1);
  return standing(
    createTlsServer({ key, cert }, (socket) => void socket.on('error', () => {})),
    mx1.listeners.ldaps.port,
  );
}

/** The same, without TLS: it refuses StartTLS, takes all else, and keeps what it hears. */
async function refusingTls(heard: Buffer[]): Promise<Server> {
  const server = createServer((socket) => {
    const framer = new LdapFramer(100_000);
    socket.on('error', () => {});
    socket.on('data', (data: Buffer) => {
      heard.push(data);
      framer.push(data);
      for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
        const { messageId, operation } = decodeRequest(frame);
        const isTls = operation.kind === 'extended' && operation.name === START_TLS;
        if (!isTls) continue;
        const answer = { kind: 'extendedResponse', result: result('protocolError', 'no TLS here') } as const;
        socket.write(
          encodeResponse({ messageId, operation: { ...answer, name: undefined, value: undefined }, controls: [] }),
        );
      }
    });
  });
  return standing(server, mx1.listeners.ldap.port);
}

async function standing(server: Server, port: number): Promise<Server> {
  server.listen(port, `${NET}.2`);
  await once(server, 'listening');
  return server;
}

/** RCPT for somebody who is known and for somebody who is not, and what is said of the provider. */
async function alone(lastError: RegExp): Promise<void> {
  await until('the failed try', async () => {
    assert.equal(await rcpt(mx2, 'nobody@acme.example'), 451);
    return lastError.test((await statusOf(mx2)).provider?.lastError ?? '');
  });
  assert.equal(await rcpt(mx2, 'bob@acme.example'), 250);
  const { provider, problems } = await statusOf(mx2);
  assert.equal(provider?.state, 'retrying');
  assert.ok(
    problems.some((problem) => problem.includes(provider.url) && lastError.test(problem)),
    problems.join(),
  );
}

test('mx1 killed while changes are made at mx2: who is known gets mail, logs in and reads; others get 451, a write 52; back again all goes on', async () => {
  // Hung, it is as silent as one that has nothing to tell.
  process.kill(mx1.pid, 'SIGSTOP');
  assert.deepEqual([await rcpt(mx2, 'nobody@acme.example'), await rcpt(mx2, 'bob@acme.example')], [451, 250]);
  process.kill(mx1.pid, 'SIGCONT');
  await until('an answer', async () => (await rcpt(mx2, 'nobody@acme.example')) === 550);
  const client = await manager(mx2);
  const acknowledged = await addedUntilKilled(client, mx1);
  assert.equal(await rcpt(mx2, 'bob@acme.example'), 250);
  // Perhaps the first server has this domain by now.
  assert.equal(await rcpt(mx2, 'nobody@new.example'), 451);
  const smtp = await SmtpClient.open(mx2.listeners.submission, { login: 'bob@acme.example', password: PASSWORD });
  await smtp.send('bob@acme.example', ['bob@acme.example'], MESSAGE);
  await smtp.quit();
  assert.equal(await arrived(mx2, 'bob@acme.example', 3), 3);
  await assert.rejects(addUser(client, 'dora@acme.example'), /52|Unavailable/i);
  await client.unbind();
  await assert.rejects(ImapClient.login(mx2.listeners.imap, 'nobody@acme.example', PASSWORD), /UNAVAILABLE/);
  await alone(/ECONNREFUSED/);
  assert.equal(await metric(mx2, `waypost_provider_current{provider="${MX1}"}`), 0);
  const other = await impostor();
  await alone(/TLS fails: .*certificate/);
  other.close();

  // Restarted without its provider, which it is to reach by StartTLS now; it tries again only when somebody needs it.
  await mx2.kill9();
  const heard: Buffer[] = [];
  const withoutTls = await refusingTls(heard);
  const never = {
    file: 'src/provisioning/replica/feed.ts',
    from: 'const RETRY_MS = 1000;\nconst RETRY_MAX_MS = 60_000;',
    to: 'const RETRY_MS = 3_600_000;\nconst RETRY_MAX_MS = RETRY_MS;',
  };
  await mx2.restart({ config: replicaConfig('ldap'), env: { ...environment(MX2, `${NET}.3`), ...mutated(never) } });
  await alone(/StartTLS is refused: 2 protocolError, no TLS here/);
  assert.ok(!Buffer.concat(heard).includes(readFileSync(join(folder, 'password'))));
  assert.ok(heard.length > 0);
  withoutTls.close();
  await mx1.restart();
  await until('an answer', async () => (await rcpt(mx2, 'nobody@acme.example')) !== 451);
  assert.equal(await rcpt(mx2, 'nobody@acme.example'), 550);
  const again = await manager(mx2);
  await addUser(again, 'dora@acme.example');
  await again.unbind();
  assert.deepEqual([await rcpt(mx1, 'dora@acme.example'), await rcpt(mx2, 'dora@acme.example')], [250, 250]);
  const { provider, problems } = await statusOf(mx2);
  assert.deepEqual([provider?.state, provider?.lastError, problems], ['current', null, []]);
  for (const address of acknowledged) assert.equal(await rcpt(mx1, address), 250, address);
  await together();
});

/** Those whose add was acknowledged while this server was killed. */
async function addedUntilKilled(client: Client, killed: Waypost): Promise<string[]> {
  const acknowledged: string[] = [];
  const adding = (async () => {
    for (let i = 0; i < 40; i++) {
      const address = `k${i}.${killed === mx1 ? 1 : 2}@acme.example`;
      await addUser(client, address).then(
        () => acknowledged.push(address),
        () => {},
      );
    }
  })();
  await until('some changes', () => acknowledged.length > 10);
  await killed.kill9();
  await adding;
  return acknowledged;
}

/** Of the swap of addresses. */
const SWAPS = 20;
/** Rounds of the test of false refusals; SECOND_SERVER_ROUNDS=10000 is its long form. */
const ROUNDS = Number(process.env['SECOND_SERVER_ROUNDS'] ?? 40);

/** Writes at either, in turn, and asks both in the same moment. Gives who was there and was refused for good. */
async function falseRefusals(rounds: number, isEnough: (refused: readonly string[]) => boolean): Promise<string[]> {
  const writers = await Promise.all([manager(mx1), manager(mx2)]);
  const doors = await Promise.all([mx1, mx2].map(({ listeners }) => SmtpClient.open(listeners.smtp)));
  const there: string[] = [];
  const refused: string[] = [];
  for (let round = 0; round < rounds && !isEnough(refused); round++) {
    const writer = writers[round % 2]!;
    // Every third is removed again, at either, while the others are asked for.
    const removed = round % 3 === 2 ? there.splice(0, 1) : [];
    const address = `r${round}.${process.hrtime.bigint()}@acme.example`;
    await Promise.all([
      addUser(writer, address),
      ...removed.map((each) => writers[(round + 1) % 2]!.del(userDn(each))),
    ]);
    there.push(address);
    const asked = [address, there[0]!];
    await Promise.all(
      doors.map(async (door) => {
        await door.command('MAIL FROM:<carol@remote.example>');
        for (const each of asked) if ((await door.command(`RCPT TO:<${each}>`)).code >= 500) refused.push(each);
        await door.command('RSET');
      }),
    );
  }
  await Promise.all([...writers.map((client) => client.unbind()), ...doors.map((door) => door.quit())]);
  return refused;
}

test('a name that a policy would look up is for the first server to make: 451 at the second', async () => {
  assert.equal(await rcpt(mx2, 'x@shop.acme.example'), 550);
  const client = await manager(mx2);
  await client.add('cn=below,ou=Policies,ou=Waypost,o=internet', {
    objectClass: 'waypostDomainPolicy',
    cn: 'below',
    waypostPolicyAction: 'auto',
    waypostMatchParent: 'TRUE',
    waypostPolicyOrder: '50',
  });
  await client.unbind();
  assert.match(await said(mx2, 'x@shop.acme.example'), /^451 4\.3\.2 /);
});

test('adds and removals at either, RCPT at both in the same moment: nobody is refused who is there', async () => {
  assert.deepEqual(await falseRefusals(ROUNDS, ({ length }) => length > 0), []);
  await together();
});

test('mx2 killed while it follows, and people swap addresses meanwhile: both have the same afterwards', async () => {
  const [eve, fay] = ['eve@acme.example', 'fay@acme.example'];
  const client = await administrator(mx1);
  await addUser(client, eve);
  await addUser(client, fay);
  await together();
  const acknowledged = await addedUntilKilled(client, mx2);
  for (const [who, mail] of [
    [eve, 'between@acme.example'],
    [fay, eve],
    [eve, fay],
  ] as const)
    await replaceAttribute(client, userDn(who), 'mail', [mail]);
  await client.unbind();
  await mx2.restart({ config: replicaConfig(), env: environment(MX2, `${NET}.3`) });
  await together();
  for (const address of [...acknowledged, eve, fay]) assert.equal(await rcpt(mx2, address), 250, address);
});

test('without the question to the first server somebody is', async () => {
  const mutation = {
    file: 'src/provisioning/replica/authority.ts',
    from: 'await provider.upToDate();',
    to: '',
  };
  await mx2.restart({ env: { ...environment(MX2, `${NET}.3`), ...mutated(mutation) } });
  assert.notDeepEqual(await falseRefusals(10_000, ({ length }) => length > 0), []);
});

test('data with a directory of its own follow nobody, and those of a second server have no directory of their own', async () => {
  const exit = async (server: Waypost, config: string): Promise<number | null> => {
    try {
      await server.restart({ config });
    } catch (error) {
      return (error as { exit: { code: number | null } }).exit.code;
    }
    return 0;
  };
  assert.equal(await exit(mx1, replicaConfig()), 78);
  assert.equal(await exit(mx2, ''), 78);
});
