// CAPA: what this server can do beyond RFC 1939's minimum, the same in both states. RFC 2449 §5 §6, RFC 2595 §4, RFC 3206 §6, RFC 5034 §3, RFC 6856 §2.1 §3.2

import { MULTI_LINE_END } from '../../../wire/pop3/responses.ts';
import type { Pop3Conversation } from '../conversation.ts';

/** Where somebody's mail goes by rules, nothing is said: who asks may not be known yet. RFC 2449 §6.7 */
const EXPIRE = 'EXPIRE NEVER';

const OTHERS = ['TOP', 'UIDL', 'UTF8', 'LANG', 'PIPELINING', 'RESP-CODES', 'AUTH-RESP-CODE', 'IMPLEMENTATION Waypost'];

export function capa(session: Pop3Conversation): undefined {
  const mechanisms = session.door.logins.mechanisms(session.client);
  const offersTls = session.door.tls !== undefined && session.record.tls === undefined;
  const logins = mechanisms.length > 0 ? ['USER', `SASL ${mechanisms.join(' ')}`] : [];
  session.ok('What this server can do');
  session.write(
    `${[...(offersTls ? ['STLS'] : []), ...logins, ...(session.door.keepsAll() ? [EXPIRE] : []), ...OTHERS].join('\r\n')}\r\n${MULTI_LINE_END}`,
  );
}
