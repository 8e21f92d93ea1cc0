// The name servers that the system's configuration names, read again when its file has changed.
//
// In      /etc/resolv.conf
// Out     up to SERVERS_MAX of them; this host where it names none, or is not there
// resolv.conf(5)

import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import type { DnsServer } from './dns-exchange.ts';

const FILE = '/etc/resolv.conf';
const SERVERS_MAX = 3;
const DNS_PORT = 53;
const NONE: readonly DnsServer[] = [{ address: '127.0.0.1', port: DNS_PORT }];

let changedAt = -1;
let known = NONE;

export function systemServers(): readonly DnsServer[] {
  const at = statSync(FILE, { throwIfNoEntry: false })?.mtimeMs;
  if (at === undefined) return NONE;
  if (at !== changedAt) {
    known = serversOf(readFileSync(FILE, 'latin1'));
    changedAt = at;
  }
  return known;
}

function serversOf(text: string): readonly DnsServer[] {
  const servers = text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([word, address]) => word === 'nameserver' && isIP(address ?? '') !== 0)
    .map(([, address]) => ({ address: address!, port: DNS_PORT }));
  return servers.length === 0 ? NONE : servers.slice(0, SERVERS_MAX);
}

/** `ADDRESS`, `ADDRESS:PORT`, `[IPV6]:PORT`. Throws for what is no address and port. */
export function parseServer(text: string): DnsServer {
  if (isIP(text) !== 0) return { address: text, port: DNS_PORT };
  const colon = text.lastIndexOf(':');
  const host = text.slice(0, colon);
  const address = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  const port = Number(text.slice(colon + 1));
  const isPort = Number.isInteger(port) && port > 0 && port <= 0xffff;
  if (colon < 0 || isIP(address) === 0 || !isPort) throw new Error(`${text} is no address of a name server`);
  return { address, port };
}
