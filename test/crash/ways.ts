// The ways out of a server that the crash test sends mail by: entries whose options lead to mailboxes, files, programs, other hosts,
// answers, a list that makes a message of its own, or keep it in the queue.
//
// In      a running server, a folder that programs may write to
// Out     its entries; for each way whom to write to, and at which places (ends.ts) such a message is due

import { userInfo } from 'node:os';
import { join } from 'node:path';
import { addUser, administrator, domainDn, type Person, userDn } from '../support/directory.ts';
import type { Waypost } from '../support/server.ts';

export const DOMAIN = 'acme.example';
export const REMOTE = 'remote.example';
/** The other host refuses addresses that begin so: for good, and for now whenever it is asked. */
export const REFUSED = 'no-';
export const LATER = 'later-';
export const MAILDIR = 'folder';
export const MBOX = 'box';
/** Of the program, by which a kill may repeat so many runs. */
export const RUNS_AT_ONCE = 4;

const here = (name: string): string => `${name}@${DOMAIN}`;
const abroad = (name: string): string => `${name}@${REMOTE}`;

/** Of mail from outside: one for each message, so that reports and answers say which it was. */
export const senderOf = (id: string): string => abroad(`carol-${id}`);
export const answerTo = (sender: string): string => `answer to ${sender}`;

export interface Way {
  readonly to: (id: string) => string;
  readonly places: (id: string) => readonly string[];
  /** What arrives is not what was sent, octet for octet. */
  readonly isChanged?: boolean;
  /** Another message of the same sender follows, which is due here alone: it has been answered. */
  readonly again?: readonly string[];
}

const inMailbox = [here('away')];

/** From outside, by its sender. */
export const WAYS: readonly Way[] = [
  {
    to: () => here('every'),
    places: () => [here('every'), `file ${MBOX}`, 'program log', abroad('every'), here('r0')],
  },
  { to: () => here('kept'), places: () => [`file ${MAILDIR}`] },
  { to: () => here('away'), places: (id) => [...inMailbox, answerTo(senderOf(id))], again: inMailbox },
  // The row is read by its address alone.
  { to: (id) => here(`held+${id}`), places: (id) => [here(`held+${id}`)] },
  { to: () => here('onward'), places: () => [abroad(`${REFUSED}onward`)] },
  { to: () => here('fails'), places: () => [here('fails')] },
  { to: () => here('list'), places: () => [here('r1'), here('r2'), abroad('member')], isChanged: true },
];

/** Those of them who have a mailbox. */
export async function addWays(server: Waypost, folder: string): Promise<Person[]> {
  const ldap = await administrator(server);
  try {
    await addProgram('log', `[ $(($$ % 10)) = 0 ] && exit 75; grep -m1 ^X-Crash-Id: >> "$0" || exit 75`);
    await addProgram('refuse', 'exit 67');
    await addUser(ldap, here('kept'), { mailDeliveryOption: 'file', mailDeliveryFileURL: `${MAILDIR}/` });
    await addUser(ldap, here('held'), { mailDeliveryOption: 'hold' });
    await addUser(ldap, here('fails'), { mailDeliveryOption: 'program', mailProgramDeliveryInfo: 'refuse' });
    await addUser(ldap, here('onward'), {
      mailDeliveryOption: 'forward',
      mailForwardingAddress: abroad(`${REFUSED}onward`),
    });
    await ldap.add(`cn=list,ou=Groups,${domainDn(DOMAIN)}`, {
      objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
      cn: 'list',
      mail: here('list'),
      uniqueMember: [userDn(here('r1')), userDn(here('r2'))],
      mgrpRFC822MailMember: abroad('member'),
      mgrpErrorsTo: here('s0'),
      mgrpMsgSuffixText: 'Leave by a word to us.',
    });
    return [
      await addUser(ldap, here('every'), {
        mailDeliveryOption: ['mailbox', 'file', 'program', 'forward'],
        mailDeliveryFileURL: MBOX,
        mailProgramDeliveryInfo: 'log',
        mailForwardingAddress: [abroad('every'), here('r0')],
      }),
      await addUser(ldap, here('away'), { mailDeliveryOption: ['mailbox', 'autoreply'], mailAutoReplyText: 'away' }),
    ];
  } finally {
    await ldap.unbind();
  }

  async function addProgram(name: string, script: string): Promise<void> {
    await ldap.add(`cn=${name},ou=Programs,ou=Waypost,o=internet`, {
      objectClass: 'waypostProgram',
      cn: name,
      waypostProgramPath: '/bin/sh',
      waypostProgramArguments: JSON.stringify(['-c', script, join(folder, name)]),
      waypostProgramUser: process.getuid!() === 0 ? 'nobody' : userInfo().username,
      waypostProgramConcurrency: String(RUNS_AT_ONCE),
    });
  }
}
