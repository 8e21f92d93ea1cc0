// GENURLAUTH: URLs of messages that the user can read become URLs that let others see them.
//
// Errors  BAD for what is no URL to be authorized; NO [BADURL "..."] for another server's or user's, of what is not there, or one that
//         has a token already
// RFC 4467 §7

import { Failure } from '../../../base/failure.ts';
import { makeUrlKeys, readUrlKey, type UrlKeyPlace } from '../../../store/url-keys.ts';
import { type GenUrlAuthCommand, parseGenUrlAuth } from '../../../wire/imap/commands/urlauth.ts';
import { type MessageUrl, parseMessageUrl } from '../../../wire/imap/message-url.ts';
import { encodeGenUrlAuth } from '../../../wire/imap/responses/urlauth.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { signedPlace } from '../linked-bytes.ts';
import { ok } from '../reply.ts';
import { urlToken } from '../url-authorization.ts';

export const genurlauth: CommandDefinition<GenUrlAuthCommand> = {
  states: LOGGED_IN,
  parse: parseGenUrlAuth,
  async run({ urls }, session) {
    const { reader, writer } = session.door;
    const places: UrlKeyPlace[] = [];
    for (const { url, mechanism } of urls) {
      checkMechanism(mechanism);
      places.push({ account: session.reader, ...(await signedPlace(session, url, rump(url))) });
    }
    if (places.some((place) => readUrlKey(reader, place) === undefined)) await writer.execute(makeUrlKeys, places);
    const signed = urls.map(({ url }, i) => {
      const key = readUrlKey(reader, places[i]!);
      if (key === undefined) throw new Failure('conflict', 'The keys have been reset meanwhile, try again');
      return `${url}:internal:${urlToken(key, url)}`;
    });
    session.write(encodeGenUrlAuth(signed));
    return ok('GENURLAUTH completed');
  },
};

/** Throws `unsupported`. */
export function checkMechanism(mechanism: string): void {
  if (mechanism !== 'INTERNAL') throw new Failure('unsupported', 'The mechanism of URLs is INTERNAL');
}

function rump(text: string): MessageUrl {
  const url = parseMessageUrl(text);
  if (url.authorization === undefined) throw new Failure('syntax', 'missing access identifier in supplied URL');
  if (url.server?.user === undefined) throw new Failure('syntax', 'missing owner username in supplied URL');
  return url;
}
