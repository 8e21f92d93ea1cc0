// Mail to another host, which refuses for now in each phase now and then, and sometimes takes a message without saying so.

import { SmtpClient } from '../../../src/demo/clients/smtp-client.ts';
import { CLOSE, type RemoteAnswer, type RemoteHostScript } from '../../../src/estate/remote-script.ts';
import type { Load } from '../pace.ts';
import { REMOTE } from '../world.ts';
import { compose, settled } from './messages.ts';

const LATER = '451 4.3.2 not now';

/** `takenUnsaid` is called for each message that it takes without an answer: it comes again. */
export function deferring(random: () => number, takenUnsaid: () => void): RemoteHostScript {
  const sometimes = (chance: number, answer: RemoteAnswer): RemoteAnswer | undefined =>
    random() < chance ? answer : undefined;
  return {
    greeting: () => sometimes(0.02, '421 4.3.2 busy'),
    ehlo: () => sometimes(0.01, CLOSE),
    rcpt: () => sometimes(0.1, LATER),
    dot() {
      if (random() >= 0.02) return sometimes(0.03, LATER);
      takenUnsaid();
      return { close: true, taken: true };
    },
  };
}

/** A login at submission each time. */
export const submissions: Load = {
  name: 'submission to another host',
  perSecond: 1,
  async run(world) {
    const person = world.one(world.people.submitters);
    const { sent, message } = compose(world, (id) => [`${id}@${REMOTE}`]);
    const client = await SmtpClient.open(world.mx1.listeners.submission, person);
    try {
      await settled(sent, client.send(person.login, sent.places, message));
    } finally {
      client.destroy();
    }
  },
};
