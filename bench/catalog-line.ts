// How long a new domain takes from its acknowledgement to name servers of others that learn of it by the catalog: BIND and Knot.
//
// Out     of DOMAINS domains, one at a time: milliseconds to the answer of the later of both, median and worst; the median of each
// A domain comes as soon as the one before is there: NOTIFY of the catalog, once a second, is waited for. Each has one zone in its
// configuration, the catalog

import { setTimeout } from 'node:timers/promises';
import { DnsClient } from '../src/net/dns-client.ts';
import { type CatalogPeer, startCatalogPeer } from '../test/support/catalog-peer.ts';
import { addDomain, administrator } from '../test/support/directory.ts';
import { peersMissing } from '../test/support/peers.ts';
import { startWaypost } from '../test/support/server.ts';
import { median } from './figures.ts';
import type { Figures } from './generate.ts';
import type { Measured } from './lines.ts';

const DOMAINS = 20;
const PROGRAMS = ['BIND', 'Knot'] as const;
const PAUSE_MS = 5;
/** To the first answer, on a busy machine. */
const LOAD_MS = 300_000;

/** False, or why it cannot be measured. */
export function catalogPeersMissing(): string | false {
  return peersMissing('named', 'knotd');
}

export async function catalogLag(): Promise<Figures> {
  const server = await startWaypost({ env: { WAYPOST_LOG: 'warn' } });
  const ldap = await administrator(server);
  const client = new DnsClient();
  const peers: CatalogPeer[] = [];
  const answered = async ({ name, address, port }: CatalogPeer, domain: string): Promise<number> => {
    for (const by = performance.now() + LOAD_MS; performance.now() < by; ) {
      const reply = await client.ask(`_dmarc.${domain}`, 'TXT', { servers: [{ address, port }] });
      if ('answers' in reply && reply.answers.length > 0) return performance.now();
      await setTimeout(PAUSE_MS);
    }
    throw new Error(`${name} does not have ${domain}`);
  };
  try {
    await addDomain(ldap, 'first.example');
    for (const [at, program] of PROGRAMS.entries())
      peers.push(await startCatalogPeer({ server, ldap, program, source: `127.0.0.${21 + at}` }));
    await Promise.all(peers.map((peer) => answered(peer, 'first.example')));
    const lags: number[][] = [];
    for (let at = 0; at < DOMAINS; at++) {
      await addDomain(ldap, `d${at}.example`);
      const committed = performance.now();
      const answers = await Promise.all(peers.map((peer) => answered(peer, `d${at}.example`)));
      lags.push(answers.map((time) => time - committed));
    }
    const worsts = lags.map((each) => Math.max(...each));
    const of = (at: number): number => Math.round(median(lags.map((each) => each[at]!)));
    return {
      ...{ worst_ms: Math.round(Math.max(...worsts)), median_ms: Math.round(median(worsts)) },
      ...{ bind_ms: of(0), knot_ms: of(1), domains: DOMAINS },
    };
  } finally {
    client.close();
    await Promise.all(peers.map((peer) => peer.stop()));
    await ldap.unbind();
    await server.stop();
  }
}

export const CATALOG_LINE: Measured = {
  name: 'catalog',
  what: `a new domain, from its acknowledgement to the answer of BIND and of Knot by the catalog, the slowest of ${DOMAINS}`,
  figure: 'worst_ms',
  unit: 'ms',
  isCost: true,
  isWorst: true,
  against: [],
  bars: {},
  own: 3000,
};
