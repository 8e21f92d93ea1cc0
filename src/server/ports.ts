// Which doors there are, and on which standard port each listens.

import type { Configuration } from './configuration.ts';
import type { ListenerName } from './listeners.ts';

export const standardPorts: Readonly<Record<ListenerName, number>> = {
  smtp: 25,
  submission: 587,
  lmtp: 24,
  imap: 143,
  pop3: 110,
  ldap: 389,
  dns: 53,
  http: 80,
  submissions: 465,
  imaps: 993,
  pop3s: 995,
  ldaps: 636,
  https: 443,
};

/** 0: a free one. */
export function portOf(configuration: Configuration, name: ListenerName): number {
  const { portOffset, ports } = configuration;
  return ports?.get(name) ?? (portOffset === 'auto' ? 0 : standardPorts[name] + portOffset);
}
