// Readers, who empty their mailboxes: by POP3, and by IMAP with flags. Each message is read whole before it goes.

import { ImapClient } from '../../../src/demo/clients/imap-client.ts';
import { sha } from '../../crash/ledger.ts';
import { recognize } from '../../crash/message.ts';
import { readMailbox } from '../../crash/read-back.ts';
import type { Person } from '../../support/directory.ts';
import type { Waypost } from '../../support/server.ts';
import type { Load } from '../pace.ts';
import type { World } from '../world.ts';
import { compose } from './messages.ts';
import { PopSession } from './sessions.ts';

const POP_MESSAGES_MAX = 50;
const FLAG_CHANGES = 10;
/** One reader at a mailbox, as its lock has it for POP3. */
const busy = new Set<string>();

async function alone(people: readonly Person[], world: World, work: (person: Person) => Promise<void>): Promise<void> {
  const free = people.filter(({ login }) => !busy.has(login));
  if (free.length === 0) return;
  const person = world.one(free);
  busy.add(person.login);
  try {
    await work(person);
  } finally {
    busy.delete(person.login);
  }
}

async function emptyByPop(world: World, server: Waypost, person: Person): Promise<void> {
  const session = await PopSession.open(server.listeners.pop3, person);
  try {
    const listed = (await session.lines('UIDL')).slice(0, POP_MESSAGES_MAX);
    const uids: number[] = [];
    for (const line of listed) {
      const [number, unique] = line.split(' ');
      const uid = Number(unique!.split('.')[1]);
      const octets = Buffer.from(
        (await session.lines(`RETR ${number}`)).map((text) => `${text}\r\n`).join(''),
        'latin1',
      );
      const known = recognize(octets);
      world.ledger.seen(person.login, { uid, id: known?.id, sha: known === undefined ? undefined : sha(known.sent) });
      await session.say(`DELE ${number}`);
      uids.push(uid);
    }
    world.ledger.taking(person.login, uids);
    await session.say('QUIT');
    world.ledger.taken(person.login, uids);
  } finally {
    session.destroy();
  }
}

export const popReaders: Load = {
  name: 'POP3 reader',
  perSecond: 0.5,
  run: (world) => alone(world.people.popReaders, world, (person) => emptyByPop(world, world.mx1, person)),
};

export const popReadersOfSecond: Load = {
  name: 'POP3 reader at the second server',
  perSecond: 0.2,
  run: (world) => alone(world.people.ofSecond, world, (person) => emptyByPop(world, world.mx2, person)),
};

export const imapReaders: Load = {
  name: 'IMAP reader',
  perSecond: 0.4,
  run: (world) =>
    alone(world.people.imapReaders, world, async (person) => {
      const { ledger, mx1 } = world;
      const found = await readMailbox(mx1, person, 1);
      for (const copy of found) ledger.seen(person.login, copy);
      const imap = await ImapClient.login(mx1.listeners.imap, person.login, person.password);
      try {
        await imap.command('SELECT INBOX');
        const going = found.map(({ uid }) => uid).filter(() => world.random() < 0.8);
        if (found.length > 0) await changeFlags(world, imap);
        if (going.length > 0) {
          await imap.command(`UID STORE ${going.join(',')} +FLAGS.SILENT (\\Deleted)`);
          ledger.taking(person.login, going);
          await imap.command(`UID EXPUNGE ${going.join(',')}`);
          ledger.taken(person.login, going);
        }
        if (world.random() < 0.3) await append(world, imap, person);
        await imap.logout();
      } finally {
        imap.destroy();
      }
    }),
};

/** Small commits, which fill the database's log. */
async function changeFlags({ random }: World, imap: ImapClient): Promise<void> {
  for (let n = 0; n < FLAG_CHANGES; n++)
    await imap.command(
      `UID STORE 1:* ${random() < 0.5 ? '+' : '-'}FLAGS.SILENT (${random() < 0.5 ? '\\Seen' : 'soaked'})`,
    );
}

async function append(world: World, imap: ImapClient, { login }: Person): Promise<void> {
  const { sent, message } = compose(world, () => [login]);
  await imap.append('INBOX', message);
  sent.fate = 'acknowledged';
}
