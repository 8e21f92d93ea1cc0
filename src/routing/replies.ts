// What routing says about an address, as SMTP says it: code and enhanced status of RFC 3463, one table.

import type { Reply } from '../base/reply.ts';

export const replies = {
  accepted: { code: 250, enhanced: '2.1.5', text: 'Recipient ok' },
  /** A foreign domain, for who may not relay. */
  relayDenied: { code: 550, enhanced: '5.7.1', text: 'Relaying denied' },
  /** An address that only this site can make, and has not made for this sender. */
  notSigned: { code: 550, enhanced: '5.7.1', text: 'This address is not valid for you' },
  /** A name that somebody has to say yes to first. */
  waitsForApproval: {
    code: 451,
    enhanced: '4.3.2',
    text: 'The domain waits for approval, try again later',
  },
  /** A message has brought the domain, and its record has not been observed yet. */
  domainIsComing: { code: 451, enhanced: '4.3.2', text: 'The domain is being set up, try again later' },
  /** Mail for such names is kept, and there is no room for more of it. */
  custodyFull: {
    code: 451,
    enhanced: '4.3.2',
    text: 'Too much mail waits for domains to be approved, try again later',
  },
  noSuchUser: { code: 550, enhanced: '5.1.1', text: 'No such recipient here' },
  /** RFC 7505 §4.2 */
  noMailHere: { code: 556, enhanced: '5.1.10', text: 'This domain takes no mail' },
  badAddress: { code: 553, enhanced: '5.1.3', text: 'The address is not valid' },
  inactive: { code: 450, enhanced: '4.2.1', text: 'Mailbox is inactive, try again later' },
  disabled: { code: 550, enhanced: '5.2.1', text: 'Mailbox is disabled' },
  deleted: { code: 550, enhanced: '5.1.1', text: 'Recipient is deleted' },
  overQuota: { code: 452, enhanced: '4.2.2', text: 'Mailbox is over quota' },
  /** RFC 3463 §3.4 */
  overChannelLimit: { code: 552, enhanced: '5.3.4', text: 'The message is too large for the way that it would take' },
  /** RFC 3463 §3.3: the message length exceeds the administrative limit of the mailbox. */
  tooLarge: { code: 552, enhanced: '5.2.3', text: 'The message is too large for this recipient' },
  illegalStatus: { code: 451, enhanced: '4.3.5', text: 'The status of this recipient is not valid, try again later' },
  /** Who has the say about the domain could not be asked. */
  sourceSilent: { code: 451, enhanced: '4.3.0', text: 'The directory of this domain does not answer, try again later' },
  unlisted: { code: 451, enhanced: '4.3.5', text: 'The directory of this domain is not its own now, try again later' },
  domainAlias: { code: 451, enhanced: '4.3.5', text: 'The domain is an alias that leads nowhere, try again later' },
  /** Two directories that each name the other host. */
  sentBack: { code: 451, enhanced: '4.4.6', text: 'The mail host of this recipient is you, try again later' },
  unsupported: {
    code: 451,
    enhanced: '4.3.5',
    text: 'This recipient wants a delivery that is not supported yet, try again later',
  },
  emptyGroup: { code: 450, enhanced: '4.2.4', text: 'The list has no members, try again later' },
  /** RFC 3463: mailing list expansion problem. */
  listTooLarge: { code: 550, enhanced: '5.2.4', text: 'The list cannot be expanded: lists are nested too deep' },
  mayNotSend: { code: 550, enhanced: '5.7.1', text: 'You may not send to this list' },
  tooLargeForList: { code: 552, enhanced: '5.2.3', text: 'The message is too large for this list' },
  accessUndecided: {
    code: 451,
    enhanced: '4.2.4',
    text: 'Who may send to this list cannot be decided, try again later',
  },
  /** A rule that names a channel which is not there. Rules are checked when they are written. */
  noChannel: { code: 451, enhanced: '4.3.5', text: 'A rewrite rule names no channel, try again later' },
  /** mailSMTPSubmitChannel */
  noSubmitChannel: {
    code: 451,
    enhanced: '4.3.5',
    text: 'Your mail goes by a channel that is not there, try again later',
  },
  /** A rule without an address and without words of its own. */
  refusedByRule: { code: 550, enhanced: '5.1.2', text: 'No mail is taken for this domain' },
  rewrittenTooOften: { code: 554, enhanced: '5.4.6', text: 'Rewrite rules send this address in a circle' },
  loop: { code: 554, enhanced: '5.4.6', text: 'The address leads only to itself' },
  /** RFC 5321 §6.3 */
  hopsExceeded: { code: 554, enhanced: '5.4.6', text: 'Too many Received fields: this message is in a loop' },
} as const satisfies Record<string, Reply>;

/** What a line of a reply takes. RFC 5321 §4.5.3.1.5 leaves 512 octets for all of it. */
const TEXT_LENGTH = 400;

/** The first line of what a person has written in an entry, as a reply can say it; undefined where nothing of it is left. */
export function replyTextOf(written: string | undefined): string | undefined {
  let text = '';
  for (const character of (written ?? '').trim()) {
    if (character === '\r' || character === '\n' || text.length === TEXT_LENGTH) break;
    const code = character.charCodeAt(0);
    text += code < 0x20 || code > 0x7e ? '?' : character;
  }
  return text === '' ? undefined : text;
}
