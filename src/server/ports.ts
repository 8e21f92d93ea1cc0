// Which doors there are, and on which standard port each listens.

import type { Configuration } from './configuration.ts';

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

/** 0: a free one. */
export function portOf(configuration: Configuration, name: ListenerName): number {
  return configuration.portOffset === 'auto' ? 0 : standardPorts[name] + configuration.portOffset;
}
