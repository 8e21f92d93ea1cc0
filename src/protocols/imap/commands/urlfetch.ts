// URLFETCH: what authorized URLs name, in pieces; NIL for each that gives this session nothing, for whatever reason. RFC 4467 §7, §8

import { parseUrlFetch, type UrlFetchCommand } from '../../../wire/imap/commands/urlauth.ts';
import { encodeUrlFetchHead } from '../../../wire/imap/responses/urlauth.ts';
import type { ImapConversation } from '../conversation.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { authorizedBytes } from '../linked-bytes.ts';
import { ok } from '../reply.ts';

export const urlfetch: CommandDefinition<UrlFetchCommand> = {
  states: LOGGED_IN,
  parse: parseUrlFetch,
  async run({ urls }, session) {
    for (const url of urls) {
      if (session.gone) break;
      await write(session, url);
      await session.breathe();
    }
    return ok('URLFETCH completed');
  },
};

async function write(session: ImapConversation, url: string): Promise<void> {
  const linked = await authorizedBytes(session, url);
  if (linked === undefined || linked.sizeBytes === 0) {
    session.write(linked === undefined ? encodeUrlFetchHead(url, undefined) : `${encodeUrlFetchHead(url, 0)}\r\n`);
    return;
  }
  let isBegun = false;
  try {
    await linked.copy((piece) => {
      // A message that cannot be read is known before anything is announced.
      if (!isBegun) session.write(encodeUrlFetchHead(url, linked.sizeBytes));
      isBegun = true;
      session.writeBytes(piece);
      return session.breathe();
    });
  } catch (error) {
    if (!isBegun) throw error;
    session.abort(error);
    return;
  }
  session.write('\r\n');
}
