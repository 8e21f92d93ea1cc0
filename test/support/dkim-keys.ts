// The signing keys of a running Waypost, and what its name server says of them.
//
// In      a server
// Out     what `dkim list --json` prints; TXT records by name; how many signatures a message carries

import { Resolver } from 'node:dns/promises';
import type { ListedKey } from '../../src/admin/dkim.ts';
import { AdminClient } from '../../src/cli/client.ts';
import type { KeyRecords } from './dkim-verifiers.ts';
import type { Waypost } from './server.ts';

export type { KeyRecords };

export function dkimKeys({ data }: Waypost): Promise<ListedKey[]> {
  return new AdminClient(data).call('dkim.list', {});
}

/** Of each key at each of these domains; a key of one domain at that one. */
export async function keyRecords(server: Waypost, domains: readonly string[]): Promise<KeyRecords> {
  const resolver = new Resolver();
  const { host, port } = server.listeners.dns;
  resolver.setServers([`${host}:${port}`]);
  const found: Record<string, string> = {};
  for (const { selector, domain } of await dkimKeys(server))
    for (const each of domain === null ? domains : [domain]) {
      const name = `${selector}._domainkey.${each}`;
      const texts = await resolver.resolveTxt(name).catch(() => []);
      if (texts.length > 0) found[name] = texts[0]!.join('');
    }
  return found;
}

export function signatureCount(message: string): number {
  return `\r\n${message}`.split('\r\nDKIM-Signature:').length - 1;
}
