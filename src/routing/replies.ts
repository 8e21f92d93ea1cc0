// What routing says about an address, as SMTP says it: code and enhanced status of RFC 3463, one table.

import type { Reply } from '../base/reply.ts';

export const replies = {
  accepted: { code: 250, enhanced: '2.1.5', text: 'Recipient ok' },
  /** A foreign domain, for who may not relay. */
  relayDenied: { code: 550, enhanced: '5.7.1', text: 'Relaying denied' },
  noSuchUser: { code: 550, enhanced: '5.1.1', text: 'No such recipient here' },
  badAddress: { code: 553, enhanced: '5.1.3', text: 'The address is not valid' },
  inactive: { code: 450, enhanced: '4.2.1', text: 'Mailbox is inactive, try again later' },
  held: { code: 450, enhanced: '4.2.1', text: 'Mail for this recipient is held, try again later' },
  disabled: { code: 550, enhanced: '5.2.1', text: 'Mailbox is disabled' },
  deleted: { code: 550, enhanced: '5.1.1', text: 'Recipient is deleted' },
  overQuota: { code: 452, enhanced: '4.2.2', text: 'Mailbox is over quota' },
  illegalStatus: { code: 451, enhanced: '4.3.5', text: 'The status of this recipient is not valid, try again later' },
  unsupported: {
    code: 451,
    enhanced: '4.3.5',
    text: 'This recipient wants a delivery that is not supported yet, try again later',
  },
  emptyGroup: { code: 450, enhanced: '4.2.4', text: 'The list has no members, try again later' },
  groupTooLarge: { code: 451, enhanced: '4.2.4', text: 'The list cannot be expanded, try again later' },
  loop: { code: 554, enhanced: '5.4.6', text: 'The address leads only to itself' },
  /** RFC 5321 §6.3 */
  hopsExceeded: { code: 554, enhanced: '5.4.6', text: 'Too many Received fields: this message is in a loop' },
} as const satisfies Record<string, Reply>;
