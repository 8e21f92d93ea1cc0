// Delivery options, statuses and loops over three servers that know each other only by SMTP, against a naive judge: it always
// ends, each mailbox has what it should, once a way, nothing goes out that should not, and who asked is answered once.
//
// MODEL_RUNS says how many; a failure prints the people that it was found with

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { Attribute, Change, type Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient, SmtpRefusal } from '../src/demo/clients/smtp-client.ts';
import { addDomain, addUser, administrator, PASSWORD, userDn } from './support/directory.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { SmtpSink } from './support/smtp-sink.ts';
import { until } from './support/until.ts';

const RUNS = Number(process.env['MODEL_RUNS'] ?? 12);
const DOMAINS = ['one.example', 'two.example', 'three.example'] as const;
const PEOPLE = DOMAINS.flatMap((domain) => [`ann@${domain}`, `bob@${domain}`]);
const ELSEWHERE = 'x@remote.example';
const domainOf = (address: string): string => address.slice(address.indexOf('@') + 1);

interface Person {
  readonly options: readonly ('autoreply' | 'forward' | 'hold' | 'mailbox')[];
  /** At most one of another server: which of several messages brings it first would be chance. */
  readonly forward: readonly string[];
  readonly status: 'active' | 'disabled' | 'hold';
}
type World = Readonly<Record<string, Person>>;

const servers = new Map<string, Waypost>();
const directories = new Map<string, Client>();
let sink: SmtpSink;

before(async () => {
  sink = await SmtpSink.start({}, '127.0.0.8');
  // A server must know the others' ports before they have any.
  const offset = 20_000 + Math.floor(Math.random() * 20_000);
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
      for (const address of PEOPLE.filter((each) => domainOf(each) === own)) await addUser(client, address);
    }),
  );
});
after(async () => {
  for (const client of directories.values()) await client.unbind();
  await Promise.all([...servers.values()].map((server) => server.stop()));
  await sink?.close();
});

const worlds = fc.record(
  Object.fromEntries(
    PEOPLE.map((own) => {
      const here = PEOPLE.filter((each) => each !== own && domainOf(each) === domainOf(own));
      const abroad = [...PEOPLE.filter((each) => domainOf(each) !== domainOf(own)), ELSEWHERE];
      const person: fc.Arbitrary<Person> = fc.record({
        options: fc.uniqueArray(
          fc.oneof(
            { weight: 12, arbitrary: fc.constant('forward' as const) },
            { weight: 8, arbitrary: fc.constant('mailbox' as const) },
            { weight: 6, arbitrary: fc.constant('autoreply' as const) },
            { weight: 1, arbitrary: fc.constant('hold' as const) },
          ),
          { minLength: 1, maxLength: 3 },
        ),
        forward: fc
          .tuple(
            fc.oneof({ weight: 3, arbitrary: fc.constant(here) }, { weight: 1, arbitrary: fc.constant([]) }),
            fc.subarray(abroad, { maxLength: 1 }),
          )
          .map(([some, one]) => [...some, ...one])
          .filter((list) => list.length > 0),
        status: fc.oneof(
          { weight: 10, arbitrary: fc.constant('active' as const) },
          { weight: 1, arbitrary: fc.constant('disabled' as const) },
          { weight: 1, arbitrary: fc.constant('hold' as const) },
        ),
      });
      return [own, person];
    }),
  ),
) as fc.Arbitrary<World>;

interface Judged {
  /** Messages by mailbox. */
  readonly boxes: Map<string, number>;
  /** Messages for ELSEWHERE. */
  elsewhere: number;
  /** Whether the sender is told of something that has failed. */
  isTold: boolean;
  /** The door of the first server refuses it. */
  isRefused: boolean;
  isAnswered: boolean;
}

/** As the words have it, one message at a time: no table, no queue, no row. */
function judge(world: World, first: string): Judged {
  const judged: Judged = { boxes: new Map(), elsewhere: 0, isTold: false, isRefused: false, isAnswered: false };
  const { options, status } = world[first]!;
  judged.isAnswered = status === 'active' && options.includes('autoreply') && !options.includes('hold');
  const messages: { to: string; seen: readonly string[] }[] = [{ to: first, seen: [] }];
  for (const { to, seen } of messages) {
    if (to === ELSEWHERE) {
      judged.elsewhere++;
      continue;
    }
    const walk = walkOf(world, to);
    const { boxes, out, failed, isAccepted } = walk;
    for (const box of boxes) judged.boxes.set(box, (judged.boxes.get(box) ?? 0) + 1);
    for (const [target, by] of out)
      if (seen.includes(by)) judged.isTold = true;
      else messages.push({ to: target, seen: [...seen, by] });
    if (!isAccepted && seen.length === 0) judged.isRefused = true;
    else if (failed) judged.isTold = true;
    assert.ok(messages.length < 1000, 'the judge goes round in a circle');
  }
  return judged;
}

/** What becomes of a message at the server of `to`. */
function walkOf(world: World, to: string) {
  const boxes = new Set<string>();
  const out = new Map<string, string>();
  const followed = new Set<string>();
  let isHeld = false;
  let isAnswered = false;
  let failed = false;
  const visit = (own: string): void => {
    const { options, forward, status } = world[own]!;
    if (status === 'disabled') failed = true;
    else if (status === 'hold' || options.includes('hold')) isHeld = true;
    else
      for (const option of [...options].sort()) {
        if (option === 'mailbox') boxes.add(own);
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
  visit(to);
  const isAccepted = boxes.size + out.size > 0 || isHeld || isAnswered;
  return { boxes, out, isAccepted, failed: failed || !isAccepted };
}

async function setWorld(world: World): Promise<void> {
  for (const [address, { options, forward, status }] of Object.entries(world)) {
    const values = {
      mailDeliveryOption: [...options],
      mailForwardingAddress: [...forward],
      mailUserStatus: [status],
      mailAutoReplyText: ['away'],
    };
    const changes = Object.entries(values).map(
      ([type, list]) => new Change({ operation: 'replace', modification: new Attribute({ type, values: list }) }),
    );
    await directories.get(domainOf(address))!.modify(userDn(address), changes);
  }
}

/** Nothing moves any more: what the queues have is held. */
async function areQuiet(): Promise<boolean> {
  for (let round = 0; round < 2; round++)
    for (const { data } of servers.values()) {
      const rows = await new AdminClient(data).call('queue.list', {});
      if (rows.some(({ state }) => state !== 'held')) return false;
    }
  return true;
}

async function messagesWith(word: string): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const address of PEOPLE) {
    const client = await ImapClient.login(servers.get(domainOf(address))!.listeners.imap, address, PASSWORD);
    const count = (await client.fetchAll()).filter(({ body }) => body.includes(`Subject: ${word}\r\n`)).length;
    await client.logout();
    if (count > 0) found.set(address, count);
  }
  return found;
}

let number = 0;

async function check(world: World, first: string): Promise<void> {
  // Logins are for who is active.
  const active = Object.fromEntries(PEOPLE.map((each) => [each, { ...world[each]!, status: 'active' as const }]));
  await setWorld(world);
  const judged = judge(world, first);
  const word = `run-${++number}-end`;
  const sender = `carol-${number}@remote.example`;
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
  // Held mail is not let go before it has been counted.
  await setWorld(
    Object.fromEntries(
      Object.entries(active).map(([each, person]) => [each, { ...person, options: ['hold' as const] }]),
    ),
  );
  const found = await messagesWith(word);
  const sunk = sink.messages.filter(({ data }) => data.includes(`\r\nSubject: ${word}\r\n`));
  const toSender = sink.messages.filter(({ recipients }) => recipients.includes(sender));
  const isAnswer = ({ data }: { data: string }): boolean =>
    data.includes('Auto-Submitted: auto-replied\r\n') && data.includes('Subject: Auto: ');
  assert.deepEqual(
    {
      boxes: Object.fromEntries([...found].sort()),
      elsewhere: sunk.filter(({ recipients }) => recipients.includes(ELSEWHERE)).length,
      isTold: toSender.some((message) => !isAnswer(message)),
      answers: toSender.filter(isAnswer).length,
    },
    {
      boxes: Object.fromEntries([...judged.boxes].sort()),
      elsewhere: judged.elsewhere,
      isTold: judged.isTold && !judged.isRefused,
      answers: judged.isAnswered ? 1 : 0,
    },
  );
}

test('options, statuses and loops over three servers end as a naive judge says', async () => {
  await fc.assert(fc.asyncProperty(worlds, fc.constantFrom(...PEOPLE), check), { numRuns: RUNS, endOnFailure: true });
});
