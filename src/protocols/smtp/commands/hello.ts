// EHLO, HELO and LHLO: who greets, and what we offer. RFC 5321 §4.1.1.1, RFC 3207 §4, RFC 2033 §4.1

import type { SmtpConversation } from '../conversation.ts';

export function ehlo(session: SmtpConversation, name: string): undefined {
  begin(session, name, true);
  const offersTls = !session.isLmtp && session.door.tls !== undefined && session.record.tls === undefined;
  const mechanisms = session.isLmtp ? [] : session.door.logins.mechanisms({ door: 'smtp', record: session.record });
  session.reply(
    250,
    undefined,
    `${session.door.hostname(session.record)} greets ${name}`,
    'PIPELINING',
    `SIZE ${session.door.limits.messageSizeBytes}`,
    '8BITMIME',
    'ENHANCEDSTATUSCODES',
    ...(offersTls ? ['STARTTLS'] : []),
    ...(mechanisms.length > 0 ? [`AUTH ${mechanisms.join(' ')}`] : []),
    'HELP',
  );
}

export function helo(session: SmtpConversation, name: string): undefined {
  begin(session, name, false);
  session.reply(250, undefined, session.door.hostname(session.record));
}

function begin(session: SmtpConversation, name: string, isExtended: boolean): void {
  session.transaction = undefined;
  session.helloName = name;
  session.isExtended = isExtended;
}
