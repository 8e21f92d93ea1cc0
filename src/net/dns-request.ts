// A DNS message to a server, and which message is its answer: of a question, of an update, of a notification.
//
// In      the octets that are to be sent; a key where they are signed; octets that came from the server that was asked
// Out     the request; the answer, or why it cannot be used. Undefined: none to this request, and is passed over
// Never   takes an answer with another id, opcode or question; one without the key's signature where the request has one
// RFC 1035 §7.3, RFC 5452 §9.1, RFC 8945 §5.3

import { Failure } from '../base/failure.ts';
import { RCODE, rcodeName } from '../wire/dns/codes.ts';
import { type DnsMessage, decodeDnsHeader, decodeMessage } from '../wire/dns/message.ts';
import { signTsig, type TsigKey, tsigErrorName, verifyTsig } from '../wire/dns/tsig.ts';

export interface Request {
  readonly octets: Uint8Array;
  readonly message: DnsMessage;
  readonly key: TsigKey | undefined;
  /** Of its signature. */
  readonly mac: Buffer | undefined;
  readonly source: string | undefined;
}

/** `unusable`: it is the answer to our question, and cannot be read or trusted. */
export type Judged = { readonly answer: DnsMessage } | { readonly unusable: string };

export function requestOf(
  octets: Uint8Array,
  { key, source }: { readonly key: TsigKey | undefined; readonly source: string | undefined },
): Request {
  const message = decodeMessage(octets);
  if (key === undefined) return { octets, message, key, mac: undefined, source };
  const signed = signTsig(octets, key, { at: unixSeconds() });
  return { octets: signed.octets, message, key, mac: signed.mac, source };
}

/** Undefined for what is no answer to this message: somebody else's, or an old one's. */
export function judgeAnswer(octets: Uint8Array, { message, key, mac }: Request): Judged | undefined {
  const header = decodeDnsHeader(octets);
  if (header === undefined || header.id !== message.id || !header.isResponse || header.opcode !== message.opcode)
    return undefined;
  let answer: DnsMessage;
  try {
    answer = decodeMessage(octets);
  } catch (error) {
    if (error instanceof Failure) return { unusable: 'a malformed answer' };
    throw error;
  }
  if (!isAboutOurQuestion(answer, message)) return undefined;
  if (key === undefined || mac === undefined) return { answer };
  const verified = verifyTsig(octets, (name) => (name === key.name ? key : undefined), {
    now: unixSeconds(),
    request: mac,
  });
  const said = verified?.record?.error ?? 0;
  if (said !== 0) return { unusable: `${rcodeName(answer.rcode)} (${tsigErrorName(said)})` };
  if (verified === undefined) return { unusable: `${rcodeName(answer.rcode)}, not signed` };
  return 'error' in verified ? { unusable: `the signature of the answer is ${verified.error}` } : { answer };
}

/** The same question; a server that could not read it may repeat none. */
function isAboutOurQuestion(answer: DnsMessage, { questions }: DnsMessage): boolean {
  const [asked] = questions;
  const [about, more] = answer.questions;
  if (about === undefined) return answer.rcode !== RCODE.NOERROR && answer.rcode !== RCODE.NXDOMAIN;
  return more === undefined && about.name === asked!.name && about.type === asked!.type && about.class === asked!.class;
}

function unixSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
