// Delivery options of users and groups, lists that make a message of their own, statuses of users and domains, and loops over three servers
// that know each other only by SMTP, against a naive judge: it always ends, each mailbox, shared mailbox, file and program has what it should,
// once a way, nothing goes out that should not, and who asked is answered once.
//
// MODEL_RUNS says how many; a failure prints the people that it was found with

import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { Attribute, Change, type Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient, SmtpRefusal } from '../src/demo/clients/smtp-client.ts';
import { RemoteHost } from '../src/estate/remote-host.ts';
import {
  addDomain,
  addUser,
  administrator,
  domainDn,
  PASSWORD,
  replaceAttribute,
  userDn,
} from './support/directory.ts';
import { freeOffset } from './support/free-ports.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const RUNS = Number(process.env['MODEL_RUNS'] ?? 12);
const DOMAINS = ['one.example', 'two.example', 'three.example'] as const;
const PEOPLE = DOMAINS.flatMap((domain) => [`ann@${domain}`, `bob@${domain}`]);
const ELSEWHERE = 'x@remote.example';
const domainOf = (address: string): string => address.slice(address.indexOf('@') + 1);

const teamOf = (domain: string): string => `team@${domain}`;
/** Of several who name it in a domain there is one. */
const COMMON = 'common';

type Option = 'autoreply' | 'file' | 'forward' | 'hold' | 'mailbox' | 'program' | 'shared';
type Status = 'active' | 'deleted' | 'disabled' | 'hold' | 'inactive';

interface Person {
  readonly options: readonly Option[];
  /** At most one of another server: which of several messages brings it first would be chance. */
  readonly forward: readonly string[];
  /** Its own, or that of all. */
  readonly file: string;
  readonly status: Status;
}

/** A group of all domains is called so. */
interface Team {
  readonly options: readonly ('file' | 'members' | 'members_offline' | 'program' | 'shared')[];
  /** Of its domain. */
  readonly members: readonly string[];
  readonly file: string;
  /** It makes a message of its own of what it gets. */
  readonly isDeriving: boolean;
}

interface World {
  readonly teams: Readonly<Record<string, Team>>;
  readonly people: Readonly<Record<string, Person>>;
  readonly domains: Readonly<Record<string, Status>>;
}

const servers = new Map<string, Waypost>();
const directories = new Map<string, Client>();
let sink: RemoteHost;
/** Of the programs, who are somebody else. */
let folder: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waypost-options-'));
  chmodSync(folder, 0o777);
  sink = await RemoteHost.start({}, '127.0.0.8');
  // A server must know the others' ports before they have any.
  const offset = await freeOffset();
  const addresses = DOMAINS.map((_, index) => `127.0.0.${index + 5}`);
  await Promise.all(
    DOMAINS.map(async (own, index) => {
      const others = DOMAINS.filter((domain) => domain !== own);
      const hops = others.map((domain) => `"${domain}" = "[${addresses[DOMAINS.indexOf(domain)]}]:${offset + 25}"`);
      const server = await startWaypost({
        config: ['[next-hop]', `"remote.example" = "${sink.nextHop}"`, ...hops, '[queue]', 'retry = ["1s"]'].join('\n'),
        env: {
          WAYPOST_HOSTNAME: `mail.${own}`,
          WAYPOST_LISTEN: addresses[index]!,
          WAYPOST_PORT_OFFSET: String(offset),
        },
      });
      servers.set(own, server);
      const client = await administrator(server, 60_000);
      directories.set(own, client);
      await addDomain(client, own);
      const people = PEOPLE.filter((each) => domainOf(each) === own);
      for (const address of people) await addUser(client, address);
      await client.add(`cn=team,ou=Groups,${domainDn(own)}`, {
        objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
        cn: 'team',
        mail: teamOf(own),
        uniqueMember: people.map(userDn),
        mailProgramDeliveryInfo: 'log',
      });
      await client.add('cn=log,ou=Programs,ou=Waypost,o=internet', {
        objectClass: 'waypostProgram',
        cn: 'log',
        waypostProgramPath: '/bin/sh',
        waypostProgramArguments: JSON.stringify([
          '-c',
          's=$(grep -m1 ^Subject:) && echo "$USER@$DOMAIN $s" >> "$0"',
          join(folder, own),
        ]),
        waypostProgramUser: process.getuid!() === 0 ? 'nobody' : userInfo().username,
      });
    }),
  );
});
after(async () => {
  for (const client of directories.values()) await client.unbind();
  await Promise.all([...servers.values()].map((server) => server.stop()));
  await sink?.close();
  rmSync(folder, { recursive: true, force: true });
});

const statuses = fc.oneof(
  { weight: 40, arbitrary: fc.constant('active' as const) },
  {
    weight: 4,
    arbitrary: fc.constantFrom('deleted' as const, 'disabled' as const, 'hold' as const, 'inactive' as const),
  },
);

const fileOf = (own: string) => fc.constantFrom(COMMON, own.replace('@', '.'));

const worlds: fc.Arbitrary<World> = fc.record({
  teams: fc.record(
    Object.fromEntries(
      DOMAINS.map((domain) => {
        const team: fc.Arbitrary<Team> = fc.record({
          options: fc.subarray(['file', 'members', 'members_offline', 'program', 'shared'] as const, { minLength: 1 }),
          members: fc.subarray(
            PEOPLE.filter((each) => domainOf(each) === domain),
            { minLength: 1 },
          ),
          file: fileOf(teamOf(domain)),
          isDeriving: fc.boolean(),
        });
        return [teamOf(domain), team];
      }),
    ),
  ),
  domains: fc.record(Object.fromEntries(DOMAINS.map((domain) => [domain, statuses]))),
  people: fc.record(
    Object.fromEntries(
      PEOPLE.map((own) => {
        const here = [...PEOPLE.filter((each) => each !== own), teamOf(domainOf(own))].filter(
          (each) => domainOf(each) === domainOf(own),
        );
        const abroad = [...PEOPLE.filter((each) => domainOf(each) !== domainOf(own)), ELSEWHERE];
        const person: fc.Arbitrary<Person> = fc.record({
          options: fc.uniqueArray(
            fc.oneof(
              { weight: 12, arbitrary: fc.constant('forward' as const) },
              { weight: 8, arbitrary: fc.constant('mailbox' as const) },
              { weight: 6, arbitrary: fc.constant('autoreply' as const) },
              { weight: 6, arbitrary: fc.constantFrom('file' as const, 'program' as const, 'shared' as const) },
              { weight: 1, arbitrary: fc.constant('hold' as const) },
            ),
            { minLength: 1, maxLength: 4 },
          ),
          forward: fc
            .tuple(
              fc.oneof(
                { weight: 3, arbitrary: fc.constant(here.slice(0, 1)) },
                { weight: 1, arbitrary: fc.subarray(here) },
              ),
              fc.oneof(
                { weight: 3, arbitrary: fc.constantFrom(...abroad).map((one) => [one]) },
                { weight: 1, arbitrary: fc.constant([]) },
              ),
            )
            .map(([some, one]) => [...some, ...one])
            .filter((list) => list.length > 0),
          file: fileOf(own),
          status: statuses,
        });
        return [own, person];
      }),
    ),
  ),
});

interface Judged {
  /** Messages by place: a mailbox's address, `file DOMAIN/NAME`, `program USER`. */
  readonly places: Map<string, number>;
  /** As many more there may be: a member's option leads where a list has put what it has made its message of, too. */
  readonly open: Map<string, number>;
  /** Messages for ELSEWHERE. */
  elsewhere: number;
  /** Whether the sender is told of something that has failed. */
  isTold: boolean;
  /** The door of the first server refuses it. */
  isRefused: boolean;
  isAnswered: boolean;
}

interface Message {
  readonly to: readonly string[];
  /** Who has sent it on. */
  readonly seen: readonly string[];
  /** The list that has made it: it serves its members alone. */
  readonly by: string | undefined;
}

/** As the words have it, one message at a time: no table, no queue, no row. */
function judge(world: World, first: string): Judged {
  const judged: Judged = {
    places: new Map(),
    open: new Map(),
    elsewhere: 0,
    isTold: false,
    isRefused: false,
    isAnswered: false,
  };
  const options = world.people[first]?.options ?? [];
  judged.isAnswered = statusOf(world, first) === 'active' && options.includes('autoreply') && !options.includes('hold');
  const messages: Message[] = [{ to: [first], seen: [], by: undefined }];
  for (const [index, message] of messages.entries()) {
    const { to, seen, by: list } = message;
    if (to[0] === ELSEWHERE) {
      judged.elsewhere++;
      continue;
    }
    const { places, open, out, failed, isAccepted, derived } = walkOf(world, to, list);
    count(judged.places, places);
    count(judged.open, open);
    for (const [target, by] of out)
      if (seen.includes(by)) judged.isTold = true;
      else messages.push({ to: [target], seen: [...seen, by], by: undefined });
    for (const team of derived) messages.push({ to: [team], seen, by: team });
    if (!isAccepted && index === 0) judged.isRefused = true;
    else if (failed) judged.isTold = true;
    assert.ok(messages.length < 1000, 'the judge goes round in a circle');
  }
  return judged;
}

function count(counts: Map<string, number>, places: ReadonlySet<string>): void {
  for (const place of places) counts.set(place, (counts.get(place) ?? 0) + 1);
}

/** The domain's comes first. */
function statusOf({ people, domains }: World, address: string): Status {
  const ofDomain = domains[domainOf(address)]!;
  return ofDomain === 'active' ? (people[address]?.status ?? 'active') : ofDomain;
}

/** What becomes of a message at the server of `to`. */
function walkOf(world: World, to: readonly string[], by: string | undefined) {
  const places = new Set<string>();
  const out = new Map<string, string>();
  const followed = new Set<string>();
  const derived = new Set<string>();
  /** By what this message was made of. */
  const had = new Set<string>();
  let isHeld = false;
  let isAnswered = false;
  let failed = false;
  /** Somebody may get it later: the sender hears of nothing yet. */
  let waits = false;
  /** A list is left to the queue: the door takes it, and each of its members fails alone. */
  let isLeft = false;
  const visit = (own: string): void => {
    const status = statusOf(world, own);
    const team = teamOf(domainOf(own));
    if (status === 'disabled' || status === 'deleted') failed = true;
    else if (status === 'inactive') waits = true;
    else if (status === 'hold' || world.people[own]?.options.includes('hold') === true) isHeld = true;
    else if (own === team) visitTeam(team);
    else visitPerson(own, team);
  };
  const visitTeam = (team: string): void => {
    const { options, members, file, isDeriving } = world.teams[team]!;
    const others: string[] = [];
    if (options.includes('shared')) others.push(team);
    if (options.includes('file')) others.push(`file ${domainOf(team)}/${file}`);
    if (options.includes('program')) others.push(`program ${team}`);
    const isToMembers = options.includes('members') || options.includes('members_offline');
    if (followed.has(team)) {
      if (by === team) for (const place of others) had.add(place);
      return;
    }
    followed.add(team);
    // What it makes is for its members; its other options have had what it was made of.
    if (by !== team) {
      for (const place of others) places.add(place);
      if (isToMembers && isDeriving) derived.add(team);
    }
    if (!isToMembers || (by !== team && isDeriving)) return;
    if (by === team || options.length > 1 || options[0] !== 'members') isLeft = true;
    for (const each of members) visit(each);
  };
  const visitPerson = (own: string, team: string): void => {
    const { options, forward, file } = world.people[own]!;
    const hasShared = world.teams[team]!.options.includes('shared');
    // Nothing of it acts: somebody will mend the entry.
    if (!hasShared && options.every((option) => option === 'shared')) waits = true;
    for (const option of [...options].sort()) {
      if (option === 'mailbox') places.add(own);
      if (option === 'shared' && hasShared) places.add(team);
      if (option === 'file') places.add(`file ${domainOf(own)}/${file}`);
      if (option === 'program') places.add(`program ${own}`);
      if (option === 'autoreply') isAnswered = true;
      if (option !== 'forward') continue;
      for (const target of forward) {
        if (followed.has(`${own} ${target}`)) continue;
        followed.add(`${own} ${target}`);
        if (domainOf(target) === domainOf(own)) visit(target);
        else if (!out.has(target)) out.set(target, own);
      }
    }
  };
  for (const each of to) visit(each);
  // A place that has had it already is one: a member whose way leads back to the list has lost nothing.
  const isAccepted = places.size + out.size + derived.size + had.size > 0 || isHeld || isAnswered || isLeft;
  const open = places.intersection(had);
  return { places: places.difference(had), open, out, derived, isAccepted, failed: isAccepted ? failed : !waits };
}

async function setWorld(world: World): Promise<void> {
  for (const [domain, status] of Object.entries(world.domains))
    await replaceAttribute(directories.get(domain)!, domainDn(domain), 'mailDomainStatus', [status]);
  for (const [team, { options, members, file, isDeriving }] of Object.entries(world.teams))
    await change(domainOf(team), `cn=team,ou=Groups,${domainDn(domainOf(team))}`, {
      mailDeliveryOption: [...options],
      uniqueMember: members.map(userDn),
      mailDeliveryFileURL: [file],
      mgrpMsgSuffixText: isDeriving ? ['By the team.'] : [],
    });
  for (const [address, { options, forward, file, status }] of Object.entries(world.people))
    await change(domainOf(address), userDn(address), {
      mailDeliveryOption: [...options],
      mailForwardingAddress: [...forward],
      mailUserStatus: [status],
      mailAutoReplyText: ['away'],
      mailDeliveryFileURL: [file],
      mailProgramDeliveryInfo: ['log'],
      waypostSharedMailbox: [teamOf(domainOf(address))],
    });
}

async function change(domain: string, dn: string, values: Readonly<Record<string, string[]>>): Promise<void> {
  const changes = Object.entries(values).map(
    ([type, list]) => new Change({ operation: 'replace', modification: new Attribute({ type, values: list }) }),
  );
  await directories.get(domain)!.modify(dn, changes);
}

/** Nothing moves any more: what the queues have is held, or waits for somebody who is not active, or for members. */
async function areQuiet(): Promise<boolean> {
  for (let round = 0; round < 2; round++)
    for (const { data } of servers.values()) {
      const rows = await new AdminClient(data).call('queue.list', {});
      if (rows.some(({ state, lastError }) => state !== 'held' && !/ 4\.(?:2\.[14]|3\.5) /.test(lastError ?? '')))
        return false;
    }
  return true;
}

/** By place, as the judge has them. */
async function messagesWith(word: string): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  const add = (place: string, count: number): void => {
    if (count > 0) found.set(place, (found.get(place) ?? 0) + count);
  };
  for (const [own, { listeners, data }] of servers) {
    const people = PEOPLE.filter((each) => domainOf(each) === own);
    for (const box of [...people, teamOf(own)]) {
      const client = await ImapClient.open(listeners.imap);
      const login = people.includes(box) ? ['', box] : [box, people[0]!];
      await client.command(`AUTHENTICATE PLAIN ${Buffer.from([...login, PASSWORD].join('\0')).toString('base64')}`);
      add(box, (await client.fetchAll()).filter(({ body }) => body.includes(`Subject: ${word}\r\n`)).length);
      await client.logout();
    }
    for (const name of [COMMON, ...[...people, teamOf(own)].map((each) => each.replace('@', '.'))]) {
      const path = join(data, 'files', own, name);
      const text = existsSync(path) ? readFileSync(path, 'latin1') : '';
      add(`file ${own}/${name}`, text.split(`\nSubject: ${word}\n`).length - 1);
    }
    const runs = existsSync(join(folder, own)) ? readFileSync(join(folder, own), 'latin1').split(/\r?\n/) : [];
    for (const each of [...people, teamOf(own)])
      add(`program ${each}`, runs.filter((line) => line === `${each} Subject: ${word}`).length);
  }
  return found;
}

/** What waits, or is held, has been counted, and is nothing of the next world. */
async function emptyQueues(): Promise<void> {
  for (const { data } of servers.values()) {
    const admin = new AdminClient(data);
    const ids = (await admin.call('queue.list', { limit: 10_000 })).map(({ message }) => message);
    if (ids.length > 0) await admin.call('queue.remove', { ids });
  }
}

/** By all of the domain. */
const readable = (domain: string): Team => ({
  options: ['shared'],
  members: PEOPLE.filter((each) => domainOf(each) === domain),
  file: COMMON,
  isDeriving: false,
});

let number = 0;

async function check(world: World, first: string): Promise<void> {
  await setWorld(world);
  const judged = judge(world, first);
  const word = `run-${++number}-end`;
  // Short: sent on twice it is no longer than a local part may be, else the user would be told of what fails.
  const sender = `c${number}@remote.example`;
  const client = await SmtpClient.open(servers.get(domainOf(first))!.listeners.smtp);
  const sending = client.send(
    sender,
    [first],
    Buffer.from(`From: <${sender}>\r\nTo: <${first}>\r\nSubject: ${word}\r\n\r\ntext\r\n`),
  );
  if (judged.isRefused) await assert.rejects(sending, SmtpRefusal);
  else await sending;
  await client.quit();
  await until('quiet queues', areQuiet);
  await emptyQueues();
  // Logins are for who is active.
  await setWorld({
    teams: Object.fromEntries(DOMAINS.map((domain) => [teamOf(domain), readable(domain)])),
    domains: Object.fromEntries(DOMAINS.map((domain) => [domain, 'active'])),
    people: Object.fromEntries(PEOPLE.map((each) => [each, { ...world.people[each]!, status: 'active' }])),
  });
  const found = await messagesWith(word);
  for (const [place, more] of judged.open) {
    const [least, got] = [judged.places.get(place) ?? 0, found.get(place) ?? 0];
    if (got > least && got <= least + more) judged.places.set(place, got);
  }
  const sunk = sink.messages.filter(({ data }) => data.includes(`\r\nSubject: ${word}\r\n`));
  const toSender = sink.messages.filter(({ recipients }) => recipients.includes(sender));
  const isAnswer = ({ data }: { data: string }): boolean =>
    data.includes('Auto-Submitted: auto-replied\r\n') && data.includes('Subject: Auto: ');
  assert.deepEqual(
    {
      places: Object.fromEntries([...found].sort()),
      elsewhere: sunk.filter(({ recipients }) => recipients.includes(ELSEWHERE)).length,
      isTold: toSender.some((message) => !isAnswer(message)),
      answers: toSender.filter(isAnswer).length,
    },
    {
      places: Object.fromEntries([...judged.places].sort()),
      elsewhere: judged.elsewhere,
      isTold: judged.isTold && !judged.isRefused,
      answers: judged.isAnswered ? 1 : 0,
    },
  );
}

test('options, statuses and loops over three servers end as a naive judge says', async () => {
  await fc.assert(fc.asyncProperty(worlds, fc.constantFrom(...PEOPLE, ...DOMAINS.map(teamOf)), check), {
    numRuns: RUNS,
    endOnFailure: true,
  });
});
