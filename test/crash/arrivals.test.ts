// Messages that bring their domains, or wait in custody for a word about them, and the server killed at any moment: a message that
// was acknowledged is there once, one that was not is there once or not at all, and no domain is there by half.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { AdminClient } from '../../src/cli/client.ts';
import { ImapClient } from '../../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../../src/demo/clients/smtp-client.ts';
import { addDomain, addUser, administrator, PASSWORD, replaceAttribute } from '../support/directory.ts';
import { DnsTestServer } from '../support/dns-server.ts';
import { kills } from '../support/kills.ts';
import { startWaypost } from '../support/server.ts';
import { until } from '../support/until.ts';

const US = 'mail.waypost.example';
const SENDERS = 4;
/** Each message twice more to the domain that one before has brought. */
const TO_A_DOMAIN = 3;

/** How often each is there, by its subject. */
async function countsOf(
  imap: Parameters<typeof ImapClient.login>[0],
  { login, password }: { readonly login: string; readonly password: string },
): Promise<Map<string, number>> {
  const client = await ImapClient.login(imap, login, password);
  const counts = new Map<string, number>();
  for (const { body } of await client.fetchAll()) {
    const id = /^Subject: (\S+)\r\n/m.exec(body.toString('latin1'))?.[1] ?? '';
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  await client.logout();
  return counts;
}

test('a message brings its domain and is delivered once, or was never acknowledged', {
  timeout: 600_000,
}, async (context) => {
  const dns = await DnsTestServer.start('127.0.0.2');
  context.after(() => dns.close());
  const config = `resolver = ["${dns.server}"]\nthreads = 2\n[provision]\nfrom-mx = "auto"\n`;
  await using server = await startWaypost({ config });
  const ldap = await administrator(server);
  await addDomain(ldap, 'acme.example', { mailDomainCatchallAddress: 'ann@acme.example' });
  const ann = await addUser(ldap, 'ann@acme.example');
  await ldap.unbind();

  let sent = 0;
  const acknowledged = new Set<string>();
  const offered = new Set<string>();
  const brought = new Set<string>();

  /** Until the server dies under it. A peer of its own brings sixty domains an hour: each sender is another one. */
  async function load(life: number, sender: number): Promise<void> {
    try {
      const client = await SmtpClient.open(server.listeners.smtp, undefined, `127.0.${life + 1}.${sender + 1}`);
      for (;;) {
        const number = sent++;
        const domain = `d${Math.floor(number / TO_A_DOMAIN)}.acme.example`;
        dns.mx(domain, [10, US]);
        const id = `m${number}`;
        offered.add(id);
        await client.send('s@elsewhere.example', [`x@${domain}`], Buffer.from(`Subject: ${id}\r\n\r\nx\r\n`));
        acknowledged.add(id);
        brought.add(domain);
      }
    } catch {
      // Killed, or sixty have come.
    }
  }

  for (let life = 0; life < kills(2); life++) {
    const senders = Array.from({ length: SENDERS }, (_, sender) => load(life, sender));
    const before = acknowledged.size;
    // At some time after the first of this life.
    while (acknowledged.size === before) await new Promise((next) => setTimeout(next, 5));
    await new Promise((next) => setTimeout(next, randomInt(300)));
    await server.kill9();
    await Promise.all(senders);
    await server.restart();
  }

  const counts = await countsOf(server.listeners.imap, ann);
  assert.ok(acknowledged.size > 0);
  for (const id of acknowledged) assert.equal(counts.get(id), 1, `${id} was acknowledged`);
  for (const [id, count] of counts) assert.ok(offered.has(id) && count === 1, `${id} is there ${count} times`);
  // Whoever has come is a domain with all that belongs to one: it takes mail without a look-up.
  const asked = dns.queries.length;
  const client = await SmtpClient.open(server.listeners.smtp);
  await client.command('MAIL FROM:<>');
  for (const domain of [...brought].slice(-50))
    assert.equal((await client.command(`RCPT TO:<y@${domain}>`)).code, 250, domain);
  await client.quit();
  assert.equal(dns.queries.length, asked);
});

test('a message in custody is delivered once, or goes once to the site postmaster, or was never acknowledged', {
  timeout: 600_000,
}, async (context) => {
  const dns = await DnsTestServer.start('127.0.0.2');
  context.after(() => dns.close());
  await using server = await startWaypost({ config: `resolver = ["${dns.server}"]\nthreads = 2\n` });
  const ldap = await administrator(server);
  await addDomain(ldap, 'acme.example');
  const ann = await addUser(ldap, 'ann@acme.example');
  await replaceAttribute(ldap, 'uid=postmaster,ou=Waypost,o=internet', 'userPassword', [PASSWORD]);
  await ldap.add('cn=kept,ou=Policies,ou=Waypost,o=internet', {
    objectClass: 'waypostDomainPolicy',
    waypostMatchDomain: '*.acme.example',
    waypostPolicyAction: 'approve',
    waypostCustody: 'TRUE',
    mailDomainCatchallAddress: ann.login,
  });
  await ldap.unbind();

  let sent = 0;
  const acknowledged = new Set<string>();
  const offered = new Set<string>();
  const isRefused = (domain: string): boolean => Number(/\d+/.exec(domain)![0]) % 3 === 0;
  const admin = () => new AdminClient(server.data);

  async function load(life: number, sender: number): Promise<void> {
    try {
      const client = await SmtpClient.open(server.listeners.smtp, undefined, `127.0.${life + 1}.${sender + 1}`);
      for (;;) {
        const number = sent++;
        const domain = `d${Math.floor(number / TO_A_DOMAIN)}.acme.example`;
        dns.mx(domain, [10, US]);
        const id = `m${number}`;
        // Who comes behind the word is answered otherwise, and no message is offered.
        offered.add(`${id} ${domain}`);
        const text = Buffer.from(`Subject: ${id}\r\n\r\nx\r\n`);
        const { code } = await client.send('s@elsewhere.example', [`x@${domain}`], text);
        if (code === 250) acknowledged.add(`${id} ${domain}`);
      }
    } catch {
      // Killed, refused, or there is no more room.
    }
  }

  /** A word about each that waits. */
  async function decide(): Promise<void> {
    for (const { domain } of await admin().call('domain.pending', {}))
      await admin().call(isRefused(domain) ? 'domain.refuse' : 'domain.approve', { domain });
  }

  for (let life = 0; life < kills(2); life++) {
    const senders = Array.from({ length: SENDERS }, (_, sender) => load(life, sender));
    const before = acknowledged.size;
    while (acknowledged.size < before + 5) await new Promise((next) => setTimeout(next, 5));
    // Killed among the words, too.
    const words = decide().catch(() => {});
    await new Promise((next) => setTimeout(next, randomInt(300)));
    await server.kill9();
    await Promise.all([...senders, words]);
    await server.restart();
  }
  await decide();
  await until('the queue is empty', async () => (await admin().call('queue.list', {})).length === 0);

  const taken = await countsOf(server.listeners.imap, ann);
  const returned = await countsOf(server.listeners.imap, { login: 'postmaster', password: PASSWORD });
  assert.ok(taken.size > 0 && returned.size > 0, `${taken.size} delivered, ${returned.size} returned`);
  for (const each of offered) {
    const [id, domain] = each.split(' ') as [string, string];
    const found = [taken.get(id) ?? 0, returned.get(id) ?? 0];
    const count = found[0]! + found[1]!;
    assert.ok(count === 1 || (count === 0 && !acknowledged.has(each)), `${id} is there ${found.join(' and ')} times`);
    assert.equal(found[isRefused(domain) ? 0 : 1], 0, `${each} is where it belongs`);
  }
  assert.equal(
    [...taken.keys(), ...returned.keys()].filter((id) => !/^m\d+$/.test(id)).length,
    0,
    'nothing else has come',
  );
});
