// Mail from elsewhere over SMTP, to one or several mailboxes here.

import { SmtpClient } from '../../../src/demo/clients/smtp-client.ts';
import type { Load } from '../pace.ts';
import { compose, settled } from './messages.ts';
import { STRANGER } from './sessions.ts';

export const deliveries: Load = {
  name: 'delivery',
  perSecond: 2.5,
  async run(world) {
    const { popReaders, imapReaders, ofSecond } = world.people;
    const among = [...popReaders, ...imapReaders];
    const first = Math.floor(world.random() * among.length);
    const people = [0, 1, 2]
      .slice(0, 1 + Math.floor(world.random() * 3))
      .map((n) => among[(first + n) % among.length]!);
    // Some of it is stored at the other server, which gets it over SMTP.
    if (world.random() < 0.2) people.push(world.one(ofSecond));
    const places = people.map(({ login }) => login);
    const { sent, message } = compose(world, () => places);
    const client = await SmtpClient.open(world.mx1.listeners.smtp, undefined, STRANGER);
    try {
      await settled(sent, client.send('carol@elsewhere.example', places, message));
    } finally {
      client.destroy();
    }
  },
};
