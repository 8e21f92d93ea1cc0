// EHLO, HELO and LHLO: who greets, and what we offer.
// RFC 5321 §4.1.1.1, RFC 3207 §4, RFC 2033 §4.1, RFC 4865 §4, RFC 8689 §2, RFC 9422 §4

import { visible } from '../../../message/trace.ts';
import { FUTURE_RELEASE_MS } from '../../../wire/smtp/parameters.ts';
import type { SmtpConversation } from '../conversation.ts';
import { XCLIENT_ATTRIBUTES } from './xclient.ts';

export function ehlo(session: SmtpConversation, name: string): undefined {
  begin(session, name, true);
  session.reply(
    250,
    undefined,
    `${session.door.hostname(session.record)} greets ${visible(name)}`,
    ...offered(session),
  );
}

type Offer = (session: SmtpConversation) => boolean | string;

const always: Offer = () => true;
const toAuthors: Offer = ({ login }) => login !== undefined;

/** What is offered, and when; a text stands behind the keyword. */
const EXTENSIONS: Readonly<Record<string, Offer>> = {
  PIPELINING: always,
  SIZE: ({ door }) => String(door.limits.messageSizeBytes),
  '8BITMIME': always,
  CHUNKING: always,
  SMTPUTF8: always,
  DSN: always,
  ENHANCEDSTATUSCODES: always,
  DELIVERBY: toAuthors,
  FUTURERELEASE: (session) => toAuthors(session) && furthestRelease(session),
  'MT-PRIORITY': toAuthors,
  REQUIRETLS: ({ record }) => record.tls !== undefined,
  LIMITS: ({ door }) => `RCPTMAX=${door.limits.recipientsMax}`,
  STARTTLS: ({ door, record, isLmtp }) => !isLmtp && door.tls !== undefined && record.tls === undefined,
  AUTH({ door, record, isLmtp }) {
    const mechanisms = isLmtp ? [] : door.logins.mechanisms({ door: 'smtp', record });
    return mechanisms.length > 0 && mechanisms.join(' ');
  },
  XCLIENT: ({ mayIntroduce }) => mayIntroduce && XCLIENT_ATTRIBUTES.join(' '),
  HELP: always,
};

function offered(session: SmtpConversation): string[] {
  const lines: string[] = [];
  for (const [keyword, offer] of Object.entries(EXTENSIONS)) {
    const what = offer(session);
    if (what !== false) lines.push(what === true ? keyword : `${keyword} ${what}`);
  }
  return lines;
}

/** In seconds, and as an instant. RFC 4865 §4 */
function furthestRelease({ door }: SmtpConversation): string {
  const until = new Date(door.clock.now() + FUTURE_RELEASE_MS).toISOString();
  return `${FUTURE_RELEASE_MS / 1000} ${until.slice(0, 19)}Z`;
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
