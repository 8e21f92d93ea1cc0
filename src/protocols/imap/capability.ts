// What we can do, in one table: CAPABILITY, the greeting and the reply to a login are printed from it.
// RFC 3501 §6.1.1, RFC 2177, RFC 2971, RFC 4315, RFC 4959, RFC 5161, RFC 6154, RFC 6851, RFC 7888

export interface CapabilityView {
  readonly authenticated: boolean;
  /** What this client may log in with as things stand; empty where a third party can listen. */
  readonly mechanisms: readonly string[];
  readonly offersTls: boolean;
}

type Offer = (view: CapabilityView) => readonly string[];

const mechanisms: Offer = (view) =>
  view.authenticated || view.mechanisms.length === 0
    ? []
    : ['SASL-IR', ...view.mechanisms.map((name) => `AUTH=${name}`)];
const loginDisabled: Offer = (view) => (view.authenticated || view.mechanisms.length > 0 ? [] : ['LOGINDISABLED']);

const startTls: Offer = (view) => (view.authenticated || !view.offersTls ? [] : ['STARTTLS']);

/** Before a login: what a client needs until then. */
const always: readonly (string | Offer)[] = [
  'IMAP4rev1',
  'LITERAL+',
  'ID',
  'ENABLE',
  startTls,
  mechanisms,
  loginDisabled,
];

/** After it, a line each in the order in which they are printed. */
const behindLogin: readonly string[] = [
  'IDLE',
  'UIDPLUS',
  'SPECIAL-USE',
  'MOVE',
  'ESEARCH',
  'SEARCHRES',
  'WITHIN',
  'PARTIAL',
];

/** There are few different ones, and each session needs two or three: made once. */
const texts = new Map<string, string>();

/** `CAPABILITY IMAP4rev1 ...`: as a response's text or a code's. */
export function capabilityText(view: CapabilityView): string {
  const key = `${view.authenticated} ${view.offersTls} ${view.mechanisms.join(' ')}`;
  let text = texts.get(key);
  if (text === undefined) {
    const offered = always.flatMap((offer) => (typeof offer === 'string' ? offer : offer(view)));
    if (view.authenticated) offered.push(...behindLogin);
    text = `CAPABILITY ${offered.join(' ')}`;
    texts.set(key, text);
  }
  return text;
}
