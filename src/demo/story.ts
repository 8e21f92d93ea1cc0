// What the demo shows, in order: a message brings its domain (Fig. 6 of the seed), then one write into the directory after
// another and the mail that follows at once. Everything is asked for and looked at over the doors, as any client would.
//
// In      a running server whose resolver is resolver.ts
// Out     steps, each with its milliseconds; an Error when the server answers anything else than it should

import { AdminClient } from '../cli/client.ts';
import { ADMINISTRATOR_DN } from '../directory/caller.ts';
import { dcDnOfDomain } from '../directory/dn.ts';
import { DnsClient } from '../net/dns-client.ts';
import type { ArrivalStep } from '../provisioning/arrival/arrivals.ts';
import type { Explanation } from '../routing/explain.ts';
import type { RunningServer } from '../server/start.ts';
import { ImapClient } from './clients/imap-client.ts';
import { LdapClient } from './clients/ldap-client.ts';
import { endpointOf } from './clients/line-connection.ts';
import { SmtpClient, type SmtpReply } from './clients/smtp-client.ts';
import type { StepPrinter } from './step-printer.ts';

const HOME = 'acme.example';
/** The domain that a message brings: it is not defined before. */
export const NEW = 'rome.office.acme.example';
const ORDINARY = 'orchard.example';
const STRANGER = 'stranger@elsewhere.example';
const PASSWORD = 'a password in clear';

export interface StoryParts {
  readonly server: RunningServer;
  readonly data: string;
  readonly printer: StepPrinter;
}

export async function runStory(parts: StoryParts): Promise<void> {
  const { listeners, adminPassword } = parts.server;
  const ldap = await LdapClient.open(endpointOf(listeners['ldap']!), ADMINISTRATOR_DN, adminPassword!);
  try {
    await messageBringsDomain(parts, ldap);
    await oneWrite(parts, ldap);
  } finally {
    ldap.end();
  }
}

async function messageBringsDomain(parts: StoryParts, ldap: LdapClient): Promise<void> {
  const { printer, server } = parts;
  const owner = `ann@${HOME}`;
  const recipient = `sales@${NEW}`;
  await addDomain(ldap, HOME, { mailDomainCatchallAddress: [owner] });
  await addUser(ldap, owner);
  printer.chapter(
    'A message brings its domain',
    `${HOME} is ours. A stranger writes to ${recipient}, a domain that is not defined;`,
    'the MX record that the world sees for it names this host.',
  );

  let arrived: readonly ArrivalStep[] | undefined;
  server.onArrival((steps) => {
    arrived = steps;
  });
  const smtp = await strangerWrites(server);
  const rcpt = await timed(() => rcptTo(smtp, recipient));
  expect(rcpt.value, '250 2.1.5');
  // The steps are posted by the thread, not sent with the reply: they may arrive a turn later.
  for (let turns = 0; arrived === undefined && turns < 100; turns++) await new Promise((next) => setTimeout(next, 5));
  if (arrived === undefined) throw new Error('the steps of the arrival did not come');
  for (const { number, step, detail, ms } of arrived)
    printer.step({ number: number ?? null, step, detail: detail.split(' | '), ms });
  const before = arrived.reduce((sum, { ms }) => sum + ms, 0);

  const { targets, steps } = await explain(parts, recipient);
  const route = steps.find(({ step }) => step === 'catch-all')?.detail ?? '';
  // What is left of RCPT's time: the recipient resolved again, and the way to the client.
  printer.step({ number: null, step: 'route', detail: [route, rcpt.value], ms: Math.max(0, rcpt.ms - before) });
  const [target] = targets;
  const dot = await timed(() => message(smtp, messageTo(recipient, 'Nobody has defined this domain')));
  smtp.destroy();
  expect(dot.value, '250 2.0.0');
  printer.step({
    number: null,
    step: 'channel',
    detail: [`${target?.channel} on ${target?.nexthop}: synced and committed`, dot.value],
    ms: dot.ms,
  });
  await delivered(parts, owner, 'Nobody has defined this domain');
}

async function oneWrite(parts: StoryParts, ldap: LdapClient): Promise<void> {
  const { printer, server } = parts;
  const bob = `bob@${ORDINARY}`;
  printer.chapter(
    'One write, and mail flows',
    'An ordinary domain and user, added over LDAP as by any directory browser.',
  );
  const domain = await timed(() => addDomain(ldap, ORDINARY, {}));
  printer.step({ number: null, step: 'domain added', detail: [dcDnOfDomain(ORDINARY)], ms: domain.ms });
  const record = await timed(() => mxOf(server));
  printer.step({ number: null, step: 'record served', detail: [`${ORDINARY} MX ${record.value}`], ms: record.ms });

  const smtp = await strangerWrites(server);
  const early = await timed(() => rcptTo(smtp, bob));
  expect(early.value, '550 5.1.1');
  printer.step({ number: null, step: 'no such user yet', detail: [early.value], ms: early.ms });
  const user = await timed(() => addUser(ldap, bob));
  printer.step({
    number: null,
    step: 'user added',
    detail: [userDn(bob), 'most of the time is the hash of the password'],
    ms: user.ms,
  });
  const rcpt = await timed(() => rcptTo(smtp, bob));
  expect(rcpt.value, '250 2.1.5');
  printer.step({ number: null, step: 'in the same instant', detail: [rcpt.value], ms: rcpt.ms });
  const dot = await timed(() => message(smtp, messageTo(bob, 'In the same instant')));
  smtp.destroy();
  expect(dot.value, '250 2.0.0');
  printer.step({ number: null, step: 'message taken', detail: [dot.value], ms: dot.ms });
  const explained = await timed(() => explain(parts, bob));
  const lines = explained.value.steps.map(({ step, detail }) => `${step}: ${detail}`);
  printer.step({ number: null, step: 'its route explained', detail: lines, ms: explained.ms });
  await delivered(parts, bob, 'In the same instant');

  const removal = await timed(() => ldap.delete(userDn(bob)));
  printer.step({ number: null, step: 'user removed', detail: [userDn(bob)], ms: removal.ms });
  const late = await strangerWrites(server);
  const refused = await timed(() => rcptTo(late, bob));
  late.destroy();
  expect(refused.value, '550 5.1.1');
  printer.step({ number: null, step: 'in the same instant', detail: [refused.value], ms: refused.ms });
}

/** Read back over IMAP with the directory's password. */
async function delivered({ server, printer }: StoryParts, login: string, subject: string): Promise<void> {
  const read = await timed(() => readLast(server, login));
  if (!read.value.includes(`Subject: ${subject}\r\n`)) throw new Error(`${login} has another message`);
  printer.step({
    number: null,
    step: 'delivered',
    detail: [`INBOX of ${login}: "${subject}"`, "read by IMAP, the login with the directory's password included"],
    ms: read.ms,
  });
}

function explain({ data }: StoryParts, address: string): Promise<Explanation> {
  return new AdminClient(data).call('route', { address });
}

/** A connection on which MAIL has been said. */
async function strangerWrites({ listeners }: RunningServer): Promise<SmtpClient> {
  const client = await SmtpClient.open(endpointOf(listeners['smtp']!));
  await client.command(`MAIL FROM:<${STRANGER}>`);
  return client;
}

async function rcptTo(client: SmtpClient, address: string): Promise<string> {
  return lastLine(await client.command(`RCPT TO:<${address}>`));
}

async function message(client: SmtpClient, text: string): Promise<string> {
  return lastLine(await client.data(Buffer.from(text)));
}

function lastLine({ code, lines }: SmtpReply): string {
  return `${code} ${lines.at(-1)}`;
}

/** The last message of the INBOX, as latin1. */
async function readLast({ listeners }: RunningServer, login: string): Promise<string> {
  const client = await ImapClient.login(endpointOf(listeners['imap']!), login, PASSWORD);
  await client.command('SELECT INBOX');
  const { untagged } = await client.command('FETCH * BODY[]');
  await client.logout();
  return untagged.map(({ literals }) => literals[0]?.toString('latin1') ?? '').join('');
}

async function mxOf({ listeners, hostname }: RunningServer): Promise<string> {
  const resolver = new DnsClient({ servers: [listeners['dns']!] });
  const answer = await resolver.mx(ORDINARY);
  resolver.close();
  if (answer.result !== 'found' || answer.exchanges[0]?.exchange !== hostname)
    throw new Error(`${ORDINARY} MX: ${answer.result}`);
  return answer.exchanges[0].exchange;
}

async function addDomain(
  ldap: LdapClient,
  domain: string,
  attributes: Readonly<Record<string, readonly string[]>>,
): Promise<void> {
  const objectClass = ['domain', 'inetDomain', 'mailDomain'];
  await ldap.add(dcDnOfDomain(domain), { objectClass, dc: [domain.split('.')[0]!], ...attributes });
}

function userDn(address: string): string {
  const [name, domain] = address.split('@') as [string, string];
  return `uid=${name},ou=People,${dcDnOfDomain(domain)}`;
}

async function addUser(ldap: LdapClient, address: string): Promise<void> {
  const name = address.split('@')[0]!;
  await ldap.add(userDn(address), {
    objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser', 'inetLocalMailRecipient'],
    uid: [name],
    cn: [name],
    sn: [name],
    mail: [address],
    userPassword: [PASSWORD],
  });
}

function messageTo(recipient: string, subject: string): string {
  return `From: <${STRANGER}>\r\nTo: <${recipient}>\r\nSubject: ${subject}\r\n\r\nHello.\r\n`;
}

async function timed<T>(run: () => Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const began = performance.now();
  const value = await run();
  return { value, ms: performance.now() - began };
}

function expect(reply: string, begin: string): void {
  if (!reply.startsWith(begin)) throw new Error(`the server says ${reply}, not ${begin}`);
}
