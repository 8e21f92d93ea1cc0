// Whether the session may send from an address now: asked at MAIL, and again when the message has come. RFC 6409 §6.1

import { LOGIN_IS_OVER } from '../../../directory/caller.ts';
import type { Address } from '../../../message/address.ts';
import { isOwnAddress } from '../../../routing/own-address.ts';
import type { SmtpConversation } from '../conversation.ts';

/** False when it may not; why has been said then, and with a login that is over the session ends. */
export function maySend(session: SmtpConversation, sender: Address | undefined): boolean {
  const { door, login } = session;
  if (login === undefined) return true;
  const now = login.now();
  if (now === undefined) {
    session.close(421, '4.7.0', `${door.hostname(session.record)} ${LOGIN_IS_OVER}`);
    return false;
  }
  if (now.isSuspended === true) {
    session.reply(550, '5.7.1', 'This account may not send mail now, ask your postmaster');
    return false;
  }
  // An author may use any of the account's addresses, and no other's.
  if (sender === undefined || isOwnAddress(door.routing, now.addresses, sender)) return true;
  session.reply(553, '5.7.1', 'Sender is not one of your addresses');
  return false;
}
