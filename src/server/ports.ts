// Which doors there are, and on which standard port each listens.

export const tcpListeners = ['smtp', 'submission', 'imap', 'pop3', 'ldap', 'dns', 'http'] as const;

export type ListenerName = (typeof tcpListeners)[number];

export const standardPorts: Readonly<Record<ListenerName, number>> = {
  smtp: 25,
  submission: 587,
  imap: 143,
  pop3: 110,
  ldap: 389,
  dns: 53,
  http: 80,
};
