// LANG: the language of what stands behind +OK and -ERR. There is one. RFC 6856 §3.1, RFC 4647 §3.4

import { Failure } from '../../../base/failure.ts';
import { MULTI_LINE_END } from '../../../wire/pop3/responses.ts';
import type { Pop3Conversation } from '../conversation.ts';

/** `range` in lower case; `*` is what this server prefers. */
export function lang(session: Pop3Conversation, range: string | undefined): undefined {
  if (range === undefined) {
    session.ok('Languages of this server');
    session.write(`en English\r\n${MULTI_LINE_END}`);
    return;
  }
  // A lookup drops subtags from the right until something fits.
  if (range !== '*' && range !== 'en' && !range.startsWith('en-')) throw new Failure('unsupported', 'Only English');
  session.ok('en English it is');
}
