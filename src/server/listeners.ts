// What listens: the names of the doors on TCP, as in the ready line, in `without`, and in the log.

export const tcpListeners = [
  'smtp',
  'submission',
  'lmtp',
  'imap',
  'pop3',
  'ldap',
  'dns',
  'http',
  // TLS from the first byte.
  'submissions',
  'imaps',
  'pop3s',
  'ldaps',
  'https',
] as const;

export type ListenerName = (typeof tcpListeners)[number];

const implicitTls: ReadonlySet<ListenerName> = new Set(['submissions', 'imaps', 'pop3s', 'ldaps', 'https']);

export function isImplicitTls(name: ListenerName): boolean {
  return implicitTls.has(name);
}
