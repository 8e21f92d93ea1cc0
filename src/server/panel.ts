// What a person at a terminal sees when the server is ready: what listens where, who may administer, what to try.

import { join } from 'node:path';
import { ADMINISTRATOR_DN } from '../directory/caller.ts';
import type { Configuration } from './configuration.ts';
import { adminPasswordPath, tlsPath } from './paths.ts';

export interface PanelServer {
  readonly hostname: string;
  readonly listeners: Readonly<Record<string, string>>;
  readonly adminPassword: string | undefined;
}

export function panel(configuration: Configuration, server: PanelServer): string {
  const ldap = server.listeners['ldap'] ?? '';
  const lines = [
    '',
    `  Waypost serves as ${server.hostname}, data in ${configuration.data}`,
    '',
    ...Object.entries(server.listeners).map(([name, endpoint]) => `    ${name.padEnd(11)} ${endpoint}`),
    '',
    `  Administrator  ${ADMINISTRATOR_DN}`,
    server.adminPassword === undefined
      ? `  Password       as it was set; the generated one is in ${adminPasswordPath(configuration.data)} until it changes`
      : `  Password       ${server.adminPassword}   (shown once, also in ${adminPasswordPath(configuration.data)})`,
    `  TLS            every door; verify it with ${join(tlsPath(configuration.data), 'ca.pem')}`,
    '',
    '  Try',
    '    ./waypost domain add acme.example',
    '    ./waypost user add ann@acme.example',
    `    ldapsearch -x -H ldap://${ldap} -D '${ADMINISTRATOR_DN}' -y ${adminPasswordPath(configuration.data)} -b ${configuration.suffixes[0]}`,
    '',
    '  Ctrl-C stops the server.',
    '',
  ];
  return `${lines.join('\n')}\n`;
}
