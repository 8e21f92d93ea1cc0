// A host: `cn=NAME,ou=Hosts`. Where a next hop of this name is, for hosts that the DNS does not know or knows otherwise.
//
// Out     its row. An entry without an address is found by A and AAAA records, as any host is

import { isIP } from 'node:net';
import { type Entry, hasClass, textValue, textValues } from '../directory/entry.ts';
import { nameIn } from './containers.ts';
import type { Problem } from './rows.ts';

export interface HostRow {
  readonly kind: 'host';
  /** Its name in lower case. */
  readonly key: string;
  readonly dn: string;
  /** IP addresses; empty: the DNS has them. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly problems?: readonly Problem[];
}

const SMTP_PORT = 25;

export function compileHost(entry: Entry): HostRow | undefined {
  if (!hasClass(entry, 'wayposthost')) return undefined;
  const key = nameIn('hosts', entry);
  if (key === undefined) return undefined;
  const problems: Problem[] = [];
  const addresses: string[] = [];
  for (const value of textValues(entry, 'wayposthostaddress')) {
    const address = ipAddress(value.trim());
    if (address !== undefined) addresses.push(address);
    else problems.push({ attribute: 'waypostHostAddress', value, reason: 'is not an IP address' });
  }
  const port = portOf(textValue(entry, 'wayposthostport'), problems);
  return { kind: 'host', key, dn: entry.dn, addresses, port, ...(problems.length === 0 ? {} : { problems }) };
}

/** In the one spelling that the address of a client has. */
function ipAddress(text: string): string | undefined {
  if (isIP(text) !== 6) return isIP(text) === 0 ? undefined : text;
  return text.includes('%') ? undefined : new URL(`http://[${text}]`).hostname.slice(1, -1);
}

function portOf(value: string | undefined, problems: Problem[]): number {
  if (value === undefined) return SMTP_PORT;
  const port = Number(value);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  problems.push({ attribute: 'waypostHostPort', value, reason: 'is no port' });
  return SMTP_PORT;
}
