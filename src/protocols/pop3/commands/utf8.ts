// UTF8: the client takes UTF-8 everywhere. Bytes go out as they are stored in either mode, so nothing changes. RFC 6856 §2.1

import type { Pop3Conversation } from '../conversation.ts';

export function utf8(session: Pop3Conversation): undefined {
  session.ok('UTF-8 is welcome');
}
