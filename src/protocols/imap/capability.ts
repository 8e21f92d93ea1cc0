// What we can do, in one table: CAPABILITY, the greeting and the reply to a login are printed from it.
// RFC 3501 §6.1.1, RFC 2177, RFC 2221, RFC 2342, RFC 2971, RFC 3348, RFC 3691, RFC 4315, RFC 4467, RFC 4469, RFC 4959, RFC 4978, RFC 5161, RFC 5258, RFC 5464, RFC 5465, RFC 5819, RFC 6154, RFC 6851, RFC 7888, RFC 7889, RFC 8437, RFC 8438, RFC 8508, RFC 9208, RFC 9590

import { COPY_MESSAGES_MAX } from '../../base/limits.ts';

export interface CapabilityView {
  readonly authenticated: boolean;
  /** What this client may log in with as things stand; empty where a third party can listen. */
  readonly mechanisms: readonly string[];
  readonly offersTls: boolean;
  /** What a message may have. */
  readonly messageSizeBytes: number;
  /** Messages that a command may look at; undefined: any number, but COPY. */
  readonly messagesMax: number | undefined;
}

type Offer = (view: CapabilityView) => readonly string[];

const mechanisms: Offer = (view) =>
  view.authenticated || view.mechanisms.length === 0
    ? []
    : ['SASL-IR', 'LOGIN-REFERRALS', ...view.mechanisms.map((name) => `AUTH=${name}`)];
const loginDisabled: Offer = (view) => (view.authenticated || view.mechanisms.length > 0 ? [] : ['LOGINDISABLED']);

const startTls: Offer = (view) => (view.authenticated || !view.offersTls ? [] : ['STARTTLS']);

/** Before a login: what a client needs until then. */
const always: readonly (string | Offer)[] = [
  'IMAP4rev1',
  'IMAP4rev2',
  'LITERAL+',
  'ID',
  'ENABLE',
  startTls,
  mechanisms,
  loginDisabled,
];

/** After it, a line each in the order in which they are printed. */
const behindLogin: readonly (string | Offer)[] = [
  'NAMESPACE',
  'IDLE',
  'CHILDREN',
  'MULTIAPPEND',
  'BINARY',
  'UNSELECT',
  'UIDPLUS',
  'ACL',
  'RIGHTS=kxte',
  'ESEARCH',
  'SEARCHRES',
  'WITHIN',
  'COMPRESS=DEFLATE',
  'SORT',
  'SORT=DISPLAY',
  'ESORT',
  'THREAD=ORDEREDSUBJECT',
  'THREAD=REFERENCES',
  'THREAD=REFS',
  'CONTEXT=SEARCH',
  'CONTEXT=SORT',
  'MULTISEARCH',
  'LIST-EXTENDED',
  'LIST-MYRIGHTS',
  'LIST-STATUS',
  'LIST-METADATA',
  'METADATA',
  'NOTIFY',
  'SPECIAL-USE',
  'CREATE-SPECIAL-USE',
  'MOVE',
  'UTF8=ACCEPT',
  'CONDSTORE',
  'QRESYNC',
  ({ messageSizeBytes }) => [`APPENDLIMIT=${messageSizeBytes}`],
  'UNAUTHENTICATE',
  'STATUS=SIZE',
  'OBJECTID',
  'REPLACE',
  'SAVEDATE',
  'PREVIEW',
  'QUOTA',
  'QUOTA=RES-STORAGE',
  'QUOTA=RES-MESSAGE',
  'QUOTA=RES-MAILBOX',
  'CATENATE',
  'URLAUTH',
  'PARTIAL',
  'INPROGRESS',
  'UIDONLY',
  ({ messagesMax }) => [messagesMax === undefined ? `SAVELIMIT=${COPY_MESSAGES_MAX}` : `MESSAGELIMIT=${messagesMax}`],
  'UIDBATCHES',
  'LANGUAGE',
  'I18NLEVEL=1',
];

/** There are few different ones, and each session needs two or three: made once. */
const texts = new Map<string, string>();

/** `CAPABILITY IMAP4rev1 ...`: as a response's text or a code's. */
export function capabilityText(view: CapabilityView): string {
  const key = `${view.authenticated} ${view.offersTls} ${view.messageSizeBytes} ${view.messagesMax} ${view.mechanisms.join(' ')}`;
  let text = texts.get(key);
  if (text === undefined) {
    const offers = view.authenticated ? [...always, ...behindLogin] : always;
    const offered = offers.flatMap((offer) => (typeof offer === 'string' ? offer : offer(view)));
    text = `CAPABILITY ${offered.join(' ')}`;
    texts.set(key, text);
  }
  return text;
}
