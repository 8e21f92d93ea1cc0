// What a peer gets when there are too many connections: temporary, in its protocol's words, before it has said anything.

import { encodeResponse } from '../wire/ldap/message.ts';
import { NOTICE_OF_DISCONNECTION } from '../wire/ldap/operations/extended.ts';
import { result } from '../wire/ldap/result.ts';
import type { ListenerName } from './listeners.ts';

const TEXT = 'Too many connections, try again later';
const notice = result('busy', TEXT);

/** A door that is missing has no words for it. */
export const TOO_MANY: Readonly<Partial<Record<ListenerName, string | Uint8Array>>> = {
  smtp: `421 4.7.0 ${TEXT}\r\n`,
  submission: `421 4.7.0 ${TEXT}\r\n`,
  lmtp: `421 4.7.0 ${TEXT}\r\n`,
  imap: `* BYE [UNAVAILABLE] ${TEXT}\r\n`,
  pop3: `-ERR [SYS/TEMP] ${TEXT}\r\n`,
  ldap: encodeResponse({
    messageId: 0,
    operation: { kind: 'extendedResponse', result: notice, name: NOTICE_OF_DISCONNECTION, value: undefined },
    controls: [],
  }),
};
