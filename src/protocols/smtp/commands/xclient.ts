// XCLIENT: a peer of `[smtp] xclient` says for whom it speaks. From here on the client is that one: for who may connect, for
// what makes guessing slow, for the audit and the Received field.
//
// In      NAME ADDR PORT HELO PROTO LOGIN in xtext; `[UNAVAILABLE]` and `[TEMPUNAVAIL]` say nothing
// Out     the greeting again, as if that client had just come; with LOGIN it has logged in, if its account is let in
// Errors  550 for any other peer, 503 within a transaction or a login, 501 for a value that is none, 421 for a client with too
//         many connections, and those of AUTH for the account
// Name    stands in Received and in the log, as Postfix has it; nothing is decided by it, since no name is looked up here
// Never   takes XCLIENT from the client that stands there then, unless its address is one of `[smtp] xclient`, too: a front end that
//         passes its client's octets on would let it log in as anybody
// Never   takes a client behind it for one on this machine. Whether the connection is private is the peer's to know: what it passes on counts as it reached us
// The command is Postfix's; no RFC describes it.

import { isIP } from 'node:net';
import { isAll, VCHAR } from '../../../base/characters.ts';
import { asFailure, Failure } from '../../../base/failure.ts';
import { type ConnectionRecord, plainAddress } from '../../../net/connection.ts';
import type { SmtpCommand } from '../../../wire/smtp/commands.ts';
import { decodeXtext } from '../../../wire/smtp/xtext.ts';
import type { SmtpConversation } from '../conversation.ts';
import { failLogin } from './auth.ts';

type Xclient = Extract<SmtpCommand, { verb: 'XCLIENT' }>;

export const XCLIENT_ATTRIBUTES = ['NAME', 'ADDR', 'PORT', 'HELO', 'PROTO', 'LOGIN'] as const;
type Attribute = (typeof XCLIENT_ATTRIBUTES)[number];
type Said = Partial<Record<Attribute, string>>;

const UNKNOWN: ReadonlySet<string> = new Set(['[UNAVAILABLE]', '[TEMPUNAVAIL]']);
const NAME_MAX = 255;

export async function xclient(session: SmtpConversation, { attributes }: Xclient): Promise<void> {
  if (!session.mayIntroduce) return session.error(550, '5.7.1', 'XCLIENT is not for you');
  if (session.transaction !== undefined) return session.error(503, '5.5.1', 'Not within a mail transaction');
  if (session.login !== undefined) return session.error(503, '5.5.1', 'You are authenticated already');
  const said = saidIn(attributes);
  const record = recordOf(said, session.record);
  const closed = session.door.admit(record);
  if (closed === undefined)
    return session.close(421, '4.7.0', `${session.door.hostname(record)} Too many connections, try again later`);
  session.introduce(record, closed);
  // From here on it may be the client that speaks. Without either, there is more to be said of it: a line is short.
  if (attributes.has('addr') || attributes.has('login'))
    session.mayIntroduce = said.ADDR !== undefined && session.door.speaksForOthers(record);
  session.helloName = said.HELO;
  session.isExtended = said.PROTO?.toUpperCase() === 'ESMTP';
  if (said.LOGIN === undefined) return session.greet();
  try {
    session.loggedIn(await session.door.logins.vouched({ door: 'smtp', record }, said.LOGIN));
  } catch (error) {
    return failLogin(session, asFailure(error));
  }
  session.greet();
}

/** What is known of the client. */
function saidIn(attributes: Xclient['attributes']): Said {
  const said: Said = {};
  for (const [name, value] of attributes) {
    const attribute = XCLIENT_ATTRIBUTES.find((each) => each.toLowerCase() === name);
    if (attribute === undefined) throw new Failure('syntax', `${name.slice(0, 40)} is not known`);
    const text = decodeXtext(value);
    if (text === undefined || text === '') throw new Failure('syntax', `${attribute} is in xtext`);
    if (!UNKNOWN.has(text.toUpperCase())) said[attribute] = text;
  }
  return said;
}

function recordOf({ NAME, ADDR, PORT, HELO, PROTO }: Said, record: ConnectionRecord): ConnectionRecord {
  const port = PORT === undefined ? 0 : Number(PORT);
  if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) throw new Failure('syntax', 'PORT is a port');
  for (const [attribute, name] of Object.entries({ NAME, HELO }))
    if (name !== undefined && (name.length > NAME_MAX || !isAll(name, VCHAR)))
      throw new Failure('syntax', `${attribute} is a name`);
  if (PROTO !== undefined && !['SMTP', 'ESMTP'].includes(PROTO.toUpperCase()))
    throw new Failure('syntax', 'PROTO is SMTP or ESMTP');
  const isV6 = ADDR?.slice(0, 5).toUpperCase() === 'IPV6:';
  const address = isV6 ? ADDR!.slice(5) : ADDR;
  if (address !== undefined && isIP(address) === 0) throw new Failure('syntax', 'ADDR is an IP address');
  // Who is not named in this command has no name: it is another client than before.
  const { peerName: _, ...unnamed } = record;
  return {
    ...unnamed,
    ...(NAME === undefined ? {} : { peerName: NAME }),
    proxyAddress: record.proxyAddress ?? record.peerAddress,
    peerAddress: address === undefined ? record.peerAddress : plainAddress(address.toLowerCase()),
    peerPort: PORT === undefined ? record.peerPort : port,
  };
}
