// Two started programs with one directory: what is written at either is routable at both when it is acknowledged.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Attribute, Change, Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import {
  ADMINISTRATOR,
  addDomain,
  addUser,
  administrator,
  PASSWORD,
  replaceAttribute,
  userDn,
} from './support/directory.ts';
import { mutated } from './support/mutate.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const [MX1, MX2] = ['mx1.hosts.example', 'mx2.hosts.example'] as const;
const MESSAGE = Buffer.from('From: carol@remote.example\r\nSubject: hello\r\n\r\ntext\r\n');
/** Of this test alone: a server that was killed comes back where it was. */
const NET = `127.${64 + (process.pid % 128)}.${(process.pid >> 7) % 256}`;
const environment = (name: string, address: string) => ({
  WAYPOST_HOSTNAME: name,
  WAYPOST_LISTEN: address,
  WAYPOST_PORT_OFFSET: '20000',
});
const hostDn = (name: string): string => `cn=${name},ou=Hosts,ou=Waypost,o=internet`;

let mx1: Waypost;
let mx2: Waypost;
let folder: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waypost-second-'));
  mx1 = await startWaypost({ env: environment(MX1, `${NET}.2`) });
  const added = await new AdminClient(mx1.data).call('host.add', { name: MX2 });
  writeFileSync(join(folder, 'password'), added.password!);
  const first = await administrator(mx1);
  await addDomain(first, 'acme.example');
  await addUser(first, 'ann@acme.example');
  await first.unbind();
  mx2 = await startWaypost({ config: replicaConfig(), env: environment(MX2, `${NET}.3`) });
  await Promise.all([tellPort(mx1, MX1), tellPort(mx2, MX2)]);
});
after(async () => {
  await mx2?.stop();
  await mx1?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function replicaConfig(): string {
  const { host, port } = mx1.listeners.ldap;
  return `[directory]\nprovider = "ldap://${host}:${port}"\npassword-file = "${join(folder, 'password')}"\n`;
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

async function rcpt(server: Waypost, address: string): Promise<number> {
  const client = await SmtpClient.open(server.listeners.smtp);
  await client.command('MAIL FROM:<carol@remote.example>');
  const { code } = await client.command(`RCPT TO:<${address}>`);
  await client.quit();
  return code;
}

async function digest(server: Waypost): Promise<unknown> {
  return new AdminClient(server.data).call('sync.digest', {});
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

test('logins work on both, and each stores whose mailHost names it', async () => {
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
});

/** Looks every 50 ms. */
async function arrived(server: Waypost, login: string, count: number): Promise<number> {
  for (let tries = 0; ; tries++) {
    const imap = await ImapClient.login(server.listeners.imap, login, PASSWORD);
    const messages = await imap.fetchAll();
    await imap.logout();
    if (messages.length >= count || tries > 400) return messages.length;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
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

test('mx1 stopped: who is known gets mail, logs in and reads; others get 451, a write 52; started again all goes on', async () => {
  await mx1.kill9();
  assert.equal(await rcpt(mx2, 'bob@acme.example'), 250);
  assert.equal(await rcpt(mx2, 'nobody@acme.example'), 451);
  // Perhaps the first server has this domain by now.
  assert.equal(await rcpt(mx2, 'nobody@new.example'), 451);
  const smtp = await SmtpClient.open(mx2.listeners.submission, { login: 'bob@acme.example', password: PASSWORD });
  await smtp.send('bob@acme.example', ['bob@acme.example'], MESSAGE);
  await smtp.quit();
  assert.equal(await arrived(mx2, 'bob@acme.example', 3), 3);
  const client = await manager(mx2);
  await assert.rejects(addUser(client, 'dora@acme.example'), /52|Unavailable/i);
  await client.unbind();
  await assert.rejects(ImapClient.login(mx2.listeners.imap, 'nobody@acme.example', PASSWORD), /UNAVAILABLE/);
  // Restarted without its provider.
  await mx2.kill9();
  await mx2.restart();
  assert.equal(await rcpt(mx2, 'bob@acme.example'), 250);
  assert.equal(await rcpt(mx2, 'nobody@acme.example'), 451);
  await mx1.restart();
  const again = await manager(mx2);
  await until('the first server', async () => {
    try {
      await addUser(again, 'dora@acme.example');
      return true;
    } catch (error) {
      assert.match(String(error), /52|Unavailable/i);
      return false;
    }
  });
  await again.unbind();
  assert.deepEqual([await rcpt(mx1, 'dora@acme.example'), await rcpt(mx2, 'dora@acme.example')], [250, 250]);
  assert.equal(await rcpt(mx2, 'nobody@acme.example'), 550);
  assert.deepEqual(await digest(mx2), await digest(mx1));
});

/** Rounds of the test of false refusals; SECOND_SERVER_ROUNDS=10000 is its long form. */
const ROUNDS = Number(process.env['SECOND_SERVER_ROUNDS'] ?? 60);

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
  const smtp = await SmtpClient.open(mx2.listeners.smtp);
  await smtp.command('MAIL FROM:<carol@remote.example>');
  const { code, lines } = await smtp.command('RCPT TO:<x@shop.acme.example>');
  await smtp.quit();
  assert.deepEqual([code, lines[0]?.slice(0, 5)], [451, '4.3.2']);
});

test('adds and removals at either, RCPT at both in the same moment: nobody is refused who is there', async () => {
  assert.deepEqual(await falseRefusals(ROUNDS, ({ length }) => length > 0), []);
  await until(
    'the same directory',
    async () => JSON.stringify(await digest(mx2)) === JSON.stringify(await digest(mx1)),
  );
});

test('either is killed while changes are made: both have the same afterwards, and all that was acknowledged', async () => {
  for (const [at, killed] of [
    [mx1, mx2],
    [mx2, mx1],
  ] as const) {
    const client = await manager(at);
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
    await client.unbind();
    await killed.restart();
    await until('the same directory', async () => {
      return JSON.stringify(await digest(mx2)) === JSON.stringify(await digest(mx1));
    });
    for (const address of acknowledged) assert.equal(await rcpt(killed, address), 250, address);
  }
});

test('addresses that two people have swapped while the second server was away', async () => {
  const [eve, fay] = ['eve@acme.example', 'fay@acme.example'];
  const client = await administrator(mx1);
  await addUser(client, eve);
  await addUser(client, fay);
  await until('both', async () => JSON.stringify(await digest(mx2)) === JSON.stringify(await digest(mx1)));
  await mx2.kill9();
  for (const [who, mail] of [
    [eve, 'between@acme.example'],
    [fay, eve],
    [eve, fay],
  ] as const)
    await replaceAttribute(client, userDn(who), 'mail', [mail]);
  await client.unbind();
  await mx2.restart();
  await until('both swapped', async () => JSON.stringify(await digest(mx2)) === JSON.stringify(await digest(mx1)));
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
  const own = await startWaypost();
  await own.kill9();
  const exit = async (server: Waypost, config: string): Promise<number | null> => {
    try {
      await server.restart({ config });
    } catch (error) {
      return (error as { exit: { code: number | null } }).exit.code;
    }
    return 0;
  };
  assert.equal(await exit(own, replicaConfig()), 78);
  await own.stop();
  assert.equal(await exit(mx2, ''), 78);
});
