// EHLO and HELO: who greets, and what we offer. RFC 5321 §4.1.1.1

import type { SmtpConversation } from '../conversation.ts';

export function ehlo(session: SmtpConversation, name: string): undefined {
  begin(session, name, true);
  session.reply(
    250,
    undefined,
    `${session.door.hostname()} greets ${name}`,
    'PIPELINING',
    `SIZE ${session.door.limits.messageSizeBytes}`,
    '8BITMIME',
    'ENHANCEDSTATUSCODES',
    // Passwords in the clear only where no third party can listen.
    ...(session.record.isPrivate ? ['AUTH PLAIN LOGIN'] : []),
    'HELP',
  );
}

export function helo(session: SmtpConversation, name: string): undefined {
  begin(session, name, false);
  session.reply(250, undefined, session.door.hostname());
}

function begin(session: SmtpConversation, name: string, isExtended: boolean): void {
  session.transaction = undefined;
  session.helloName = name;
  session.isExtended = isExtended;
}
