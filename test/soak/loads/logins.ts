// Logins at every door, by people of ours, of the second server, and of the source: each has to succeed, at once or, where a
// thread was ended, again.

import { ImapClient } from '../../../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../../../src/demo/clients/smtp-client.ts';
import { type Person, userDn } from '../../support/directory.ts';
import type { Waypost } from '../../support/server.ts';
import { type Load, served } from '../pace.ts';
import type { World } from '../world.ts';
import { compose } from './messages.ts';
import { bindAs, PopSession, post } from './sessions.ts';

const logIn = (name: string, perSecond: number, session: (world: World) => Promise<void>): Load => ({
  name,
  perSecond,
  run: (world) => served(name, () => session(world)),
});

async function imapSession({ listeners }: Waypost, { login, password }: Person): Promise<void> {
  const imap = await ImapClient.login(listeners.imap, login, password);
  try {
    await imap.command('LIST "" "*"');
    await imap.logout();
  } finally {
    imap.destroy();
  }
}

const basic = ({ login, password }: Person): string =>
  `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}`;

export const logins: readonly Load[] = [
  logIn('login at IMAP', 1.5, ({ mx1, one, people }) => imapSession(mx1, one(people.imapReaders))),
  logIn('login at IMAP of the second server', 0.7, ({ mx2, one, people }) => imapSession(mx2, one(people.ofSecond))),
  logIn('login at IMAP by the source', 0.5, ({ mx1, one, people }) => imapSession(mx1, one(people.ofSource))),
  // Whose mailbox nobody else reads: it is one session's at a time.
  logIn('login at POP3', 0.7, async ({ mx1, one, people }) => {
    const session = await PopSession.open(mx1.listeners.pop3, one(people.submitters));
    try {
      await session.say('STAT');
      await session.say('QUIT');
    } finally {
      session.destroy();
    }
  }),
  logIn('login at submission', 0.7, async ({ mx1, one, people }) => {
    const client = await SmtpClient.open(mx1.listeners.submission, one(people.submitters));
    await client.quit();
  }),
  logIn('login at LDAP', 0.7, ({ mx1, mx2, one, people }) => {
    const { login, password } = one(people.submitters);
    return bindAs(one([mx1, mx2]), userDn(login), password);
  }),
  {
    name: 'message over HTTP',
    perSecond: 0.3,
    async run(world) {
      const person = world.one(world.people.submitters);
      const to = world.one(world.people.popReaders).login;
      const { sent, message } = compose(world, () => [to]);
      const path = `/v1/messages?from=${person.login}&to=${to}`;
      await post(world.mx1, { path, authorization: basic(person), body: message, type: 'message/rfc822' });
      sent.fate = 'acknowledged';
    },
  },
];
