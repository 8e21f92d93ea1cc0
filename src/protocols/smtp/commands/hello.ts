// EHLO and HELO: who greets, and what we offer. RFC 5321 §4.1.1.1

import type { SmtpSession } from '../session.ts';

export function ehlo(session: SmtpSession, name: string): undefined {
  begin(session, name, true);
  session.reply(
    250,
    undefined,
    `${session.door.hostname()} greets ${name}`,
    'PIPELINING',
    `SIZE ${session.door.limits.messageSizeBytes}`,
    '8BITMIME',
    'ENHANCEDSTATUSCODES',
    // Clear passwords only where nobody can listen, until TLS is offered.
    ...(session.connection.isPrivate ? ['AUTH PLAIN LOGIN'] : []),
    'HELP',
  );
}

export function helo(session: SmtpSession, name: string): undefined {
  begin(session, name, false);
  session.reply(250, undefined, session.door.hostname());
}

function begin(session: SmtpSession, name: string, isExtended: boolean): void {
  session.transaction = undefined;
  session.helloName = name;
  session.isExtended = isExtended;
}
