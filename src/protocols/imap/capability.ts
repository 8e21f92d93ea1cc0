// What we can do, in one table: CAPABILITY, the greeting and the reply to a login are printed from it.
// RFC 3501 §6.1.1, RFC 2177, RFC 2971, RFC 4315, RFC 6154, RFC 7888

export interface CapabilityView {
  readonly authenticated: boolean;
  /** Whether a password may be sent as things stand: over loopback, later over TLS. */
  readonly passwordsAllowed: boolean;
}

const always = () => true;
const beforeLogin = (view: CapabilityView) => !view.authenticated && view.passwordsAllowed;

const capabilities: readonly (readonly [name: string, isOffered: (view: CapabilityView) => boolean])[] = [
  ['IMAP4rev1', always],
  ['LITERAL+', always],
  ['ID', always],
  ['AUTH=PLAIN', beforeLogin],
  ['AUTH=LOGIN', beforeLogin],
  ['LOGINDISABLED', (view) => !view.authenticated && !view.passwordsAllowed],
  ['IDLE', always],
  ['UIDPLUS', always],
  ['SPECIAL-USE', always],
];

/** `CAPABILITY IMAP4rev1 ...`: as a response's text or a code's. */
export function capabilityText(view: CapabilityView): string {
  const offered = capabilities.filter(([, isOffered]) => isOffered(view)).map(([name]) => name);
  return `CAPABILITY ${offered.join(' ')}`;
}
