// The load of the crash test: clients that write until the server is gone under them.
//
// In      a running server, the people, the ledger
// Out     every request in the ledger before it is sent, its answer when it was read
// Never   sends anything twice; a broken connection ends that client and leaves its request open
//
// Answers that were on their way when the server died are read to the end: what it said, it must have meant.

import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from 'ldapts';
import { ImapClient, ImapRefusal } from '../../src/demo/clients/imap-client.ts';
import { SmtpClient, SmtpRefusal } from '../../src/demo/clients/smtp-client.ts';
import { administrator, type Person, userAttributes, userDn } from '../support/directory.ts';
import type { Waypost } from '../support/server.ts';
import type { Ends } from './ends.ts';
import type { Ledger, MessageRecord } from './ledger.ts';
import { makeMessage } from './message.ts';
import { LATER, REFUSED, REMOTE, senderOf, type Way } from './ways.ts';

export interface Scene {
  readonly server: Waypost;
  readonly ledger: Ledger;
  readonly ends: Ends;
  readonly random: () => number;
  readonly domain: string;
  /** Who gets deliveries. */
  readonly readers: readonly Person[];
  /** Whose mailboxes are appended to and changed, one client each. */
  readonly writers: readonly Person[];
  /** Who sends to the remote host. */
  readonly submitters: readonly Person[];
  /** All ways out that entries name, for senders elsewhere. */
  readonly ways: readonly Way[];
  /** Who has written once to a way that answers once, the latest at the end. */
  readonly writtenOnce: Again[];
  /** Where programs of this machine hand in their mail; undefined: none does. */
  readonly submitFolder: string | undefined;
}

export interface Load {
  /** Resolves when every client has ended, which they do when the server is gone. */
  readonly ended: Promise<void>;
  /** Requests that were refused, by their text: none is expected. */
  readonly refusals: Map<string, number>;
  /** Clients start nothing new. */
  stop(): void;
}

let count = 0;
let turn = 0;
const next = (): string => `m${++count}`;

export function startLoad(scene: Scene): Load {
  const state: State = { scene, stopping: false, refusals: new Map() };
  const clients = [
    ...[1, 1, 1, 1, 2, 7].map((recipients) => deliveries(state, recipients)),
    ...scene.writers.map((person) => mailboxChanges(state, person)),
    ...scene.submitters.map((person) => submissions(state, person)),
    ...(scene.ways.length > 0 ? [waysOut(state), waysOut(state)] : []),
    ...(scene.submitFolder === undefined ? [] : [handIns(state, scene.submitFolder)]),
    additions(state),
  ];
  return {
    ended: Promise.all(clients).then(() => undefined),
    refusals: state.refusals,
    stop() {
      state.stopping = true;
    },
  };
}

interface State {
  readonly scene: Scene;
  readonly refusals: Map<string, number>;
  stopping: boolean;
}

/** Runs one client; a lost connection is its end, a refusal to a message an answer like any other. */
async function client(state: State, talk: () => Promise<void>): Promise<void> {
  try {
    await talk();
  } catch (error) {
    // The server is gone: what was open stays open in the ledger. Before the kill, nothing may end a client.
    if (!state.stopping) refusal(state, `a client ended: ${String(error)}`);
  }
}

/** The answer to one request: `taken` when there was one and it was yes. */
async function answered<T>(
  state: State,
  record: { fate: MessageRecord['fate'] },
  request: Promise<T>,
): Promise<T | undefined> {
  try {
    const answer = await request;
    record.fate = 'acknowledged';
    return answer;
  } catch (error) {
    if (!(error instanceof SmtpRefusal) && !(error instanceof ImapRefusal)) throw error;
    record.fate = 'refused';
    refusal(state, error.message);
    return undefined;
  }
}

function refusal(state: State, text: string): void {
  const kind = text.replace(/m\d+|t\d+|\d{6,}/g, '#').slice(0, 160);
  state.refusals.set(kind, (state.refusals.get(kind) ?? 0) + 1);
}

/** Now and then a breath, so that batches of one and batches of many both happen. */
async function breath({ scene }: State, longest = 12): Promise<void> {
  const ms = scene.random() < 0.3 ? 0 : scene.random() * longest;
  await new Promise((wait) => setTimeout(wait, ms));
}

function deliveries(state: State, recipients: number): Promise<void> {
  const { server, ledger, random, readers } = state.scene;
  return client(state, async () => {
    const smtp = await SmtpClient.open(server.listeners.smtp);
    while (!state.stopping) {
      const start = Math.floor(random() * readers.length);
      const people = Array.from({ length: recipients }, (_, i) => readers[(start + i) % readers.length]!.login);
      const id = next();
      const message = makeMessage(id, random);
      const record = ledger.open('deliver', id, people, message);
      await answered(state, record, smtp.send('sender@load.example', people, message));
      await breath(state);
    }
    smtp.destroy();
  });
}

/** To a host that takes it, to one that it refuses, to one that it does not take now, and to somebody here: ends of one message. */
function submissions(state: State, person: Person): Promise<void> {
  const { server, ledger, ends, random, readers } = state.scene;
  return client(state, async () => {
    const smtp = await SmtpClient.open(server.listeners.submission, person);
    while (!state.stopping) {
      const id = next();
      const message = makeMessage(id, random);
      const recipients = [`${id}@${REMOTE}`];
      if (random() < 0.3)
        recipients.push(`${REFUSED}${id}@${REMOTE}`, readers[Math.floor(random() * readers.length)]!.login);
      if (random() < 0.03) recipients.push(`${LATER}${id}@${REMOTE}`);
      const record = ledger.open('out', id, recipients, message);
      ends.open(id, recipients, record);
      await answered(state, record, smtp.send(person.login, recipients, message));
      await breath(state);
    }
    smtp.destroy();
  });
}

/** By each way that entries name, from senders elsewhere. */
function waysOut(state: State): Promise<void> {
  const { server, ledger, ends, random, ways, writtenOnce } = state.scene;
  return client(state, async () => {
    const smtp = await SmtpClient.open(server.listeners.smtp);
    const send = async (to: string, sender: string, { places, isChanged, id }: Sending): Promise<void> => {
      const message = makeMessage(id, random, to);
      const record = ledger.open('out', id, places, isChanged === true ? undefined : message);
      ends.open(id, places, record);
      await answered(state, record, smtp.send(sender, [to], message));
      await breath(state, 40);
    };
    const again = async (): Promise<void> => {
      const { to, sender, places } = writtenOnce.pop()!;
      await send(to, sender, { id: next(), places });
    };
    // Those whose answers a kill has come upon are asked after first.
    for (let n = 0; n < 3 && writtenOnce.length > 0 && !state.stopping; n++) await again();
    while (!state.stopping) {
      const id = next();
      // In turn: on a machine with other work there are few of them, and each way is gone.
      const way = ways[turn++ % ways.length]!;
      const [to, sender] = [way.to(id), senderOf(id)];
      await send(to, sender, { id, places: way.places(id), isChanged: way.isChanged });
      if (way.again !== undefined) writtenOnce.push({ to, sender, places: way.again });
      if (writtenOnce.length > 0 && random() < 0.1) await again();
    }
    smtp.destroy();
  });
}

interface Again {
  readonly to: string;
  readonly sender: string;
  readonly places: readonly string[];
}

interface Sending {
  readonly id: string;
  readonly places: readonly string[];
  readonly isChanged?: boolean | undefined;
}

/** As `waypost sendmail` does it: from the new name on the file is the server's, whether it runs or not. */
function handIns(state: State, folder: string): Promise<void> {
  const { ledger, ends, random, readers } = state.scene;
  return client(state, async () => {
    while (!state.stopping) {
      const id = next();
      const message = makeMessage(id, random);
      const places = [`${id}@${REMOTE}`, readers[Math.floor(random() * readers.length)]!.login];
      const record = ledger.open('out', id, places, message);
      ends.open(id, places, record);
      const lines = [`MAIL FROM:<${senderOf(id)}>`, ...places.map((place) => `RCPT TO:<${place}>`), '\x01\x01', ''];
      writeFileSync(join(folder, `.${id}`), Buffer.concat([Buffer.from(lines.join('\r\n')), message]));
      renameSync(join(folder, `.${id}`), join(folder, id));
      record.fate = 'acknowledged';
      await breath(state, 80);
    }
  });
}

const FLAGS = ['\\Flagged', '\\Seen', 'crashed'];

/** APPEND, then flags on and off, now and then an EXPUNGE of one message. */
function mailboxChanges(state: State, person: Person): Promise<void> {
  const { server, ledger, random } = state.scene;
  return client(state, async () => {
    const imap = await ImapClient.login(server.listeners.imap, person.login, person.password);
    await imap.command('SELECT INBOX');
    const mine: MessageRecord[] = [];
    while (!state.stopping) {
      const id = next();
      const message = makeMessage(id, random);
      const record = ledger.open('append', id, [person.login], message);
      record.uid = await answered(state, record, imap.append('INBOX', message));
      if (record.uid !== undefined) mine.push(record);
      for (let i = 0; i < 3 && mine.length > 0; i++) await change(state, imap, mine);
      await breath(state);
    }
    imap.destroy();
  });
}

async function change(state: State, imap: ImapClient, mine: MessageRecord[]): Promise<void> {
  const { random } = state.scene;
  const at = Math.floor(random() * mine.length);
  const record = mine[at]!;
  if (random() < 0.1) {
    mine.splice(at, 1);
    record.expunged = 'open';
    await imap.command(`UID STORE ${record.uid} +FLAGS.SILENT (\\Deleted)`);
    await imap.command(`UID EXPUNGE ${record.uid}`);
    record.expunged = true;
    return;
  }
  const flag = FLAGS[Math.floor(random() * FLAGS.length)]!;
  const set = record.flags.get(flag) !== true;
  record.flags.set(flag, 'open');
  await imap.command(`UID STORE ${record.uid} ${set ? '+' : '-'}FLAGS.SILENT (${flag})`);
  record.flags.set(flag, set);
}

/** Users added to the directory, one after another. */
function additions(state: State): Promise<void> {
  const { server, ledger, domain } = state.scene;
  return client(state, async () => {
    let ldap: Client | undefined;
    try {
      ldap = await administrator(server);
      while (!state.stopping) {
        const address = `${next()}@${domain}`;
        const dn = userDn(address);
        ledger.entries.set(dn.toLowerCase(), 'open');
        await ldap.add(dn, userAttributes(address));
        ledger.entries.set(dn.toLowerCase(), 'acknowledged');
        await breath(state);
      }
    } finally {
      // Without this its socket would outlive the server.
      await ldap?.unbind().catch(() => {});
    }
  });
}
