// A name server of others that learns of our zones by the catalog: BIND or Knot, with an entry here, a key, and that one zone in its
// configuration. What comes into the catalog it takes by itself.
//
// In      a running Waypost, a connection of its administrator; where it asks from, by which it is told from others
// Out     where it answers; the name of its entry
// Never   is told of another zone; outlives its stop()
// RFC 9432

import type { Client } from 'ldapts';
import { Bind } from './bind.ts';
import { SUFFIX } from './directory.ts';
import { freePort } from './free-ports.ts';
import { Knot } from './knot.ts';
import type { Waypost } from './server.ts';

export const TSIG_NAME = 'xfer.example';
export const TSIG_SECRET = Buffer.from('a secret of thirty-two octets...').toString('base64');
export const BIND_KEY = `key "${TSIG_NAME}" { algorithm hmac-sha256; secret "${TSIG_SECRET}"; };\n`;

/** BIND listens at no other address of loopback than the first. */
const ADDRESS = '127.0.0.1';

export interface CatalogPeer {
  /** Of its entry below ou=Hosts. */
  readonly name: string;
  readonly address: string;
  readonly source: string;
  readonly port: number;
  stop(): Promise<void>;
}

interface Setup {
  readonly server: Waypost;
  readonly ldap: Client;
  readonly program: 'BIND' | 'Knot';
  /** An address of loopback. */
  readonly source: string;
}

export async function startCatalogPeer({ server, ldap, program, source }: Setup): Promise<CatalogPeer> {
  const at = { address: ADDRESS, source, port: await freePort() };
  const name = `${program} ${source}`;
  // Its entry first: refused once, BIND asks again after a minute, whatever NOTIFY says meanwhile.
  await ldap.add(`cn=${name},ou=Hosts,ou=Waypost,${SUFFIX}`, {
    objectClass: 'waypostNameServer',
    waypostNameServerRole: 'secondary',
    waypostNameServerAddress: [`${at.address}:${at.port}`, source],
    waypostTsigName: TSIG_NAME,
    waypostTsigSecret: TSIG_SECRET,
  });
  const daemon = await (program === 'BIND' ? startBind(server, at) : startKnot(server, at));
  return { name, ...at, stop: () => daemon.stop() };
}

type Place = Pick<CatalogPeer, 'address' | 'source' | 'port'>;

function startBind({ hostname, listeners }: Waypost, at: Place): Promise<Bind> {
  const catalog = `catalog.${hostname}`;
  const primaries = `{ 127.0.0.1 port ${listeners.dns.port} key "${TSIG_NAME}"; }`;
  return Bind.start({
    ...at,
    options: `transfer-source ${at.source};
      catalog-zones { zone "${catalog}" default-primaries ${primaries} in-memory yes min-update-interval 1; };`,
    more: `${BIND_KEY}zone "${catalog}" { type secondary; file "catalog.db"; primaries ${primaries}; };`,
  });
}

function startKnot({ hostname, listeners }: Waypost, at: Place): Promise<Knot> {
  return Knot.start({
    ...at,
    keys: [{ name: TSIG_NAME, algorithm: 'hmac-sha256', secret: Buffer.from(TSIG_SECRET, 'base64') }],
    more: `  - id: told\n    address: 127.0.0.1\n    key: ${TSIG_NAME}\n    action: notify
remote:\n  - id: waypost\n    address: 127.0.0.1@${listeners.dns.port}\n    via: ${at.source}\n    key: ${TSIG_NAME}
template:\n  - id: member\n    master: waypost\n    acl: told\n    zonefile-sync: -1\n    zonefile-load: none\n    journal-content: all\n`,
    moreZones: `  - domain: catalog.${hostname}\n    master: waypost\n    acl: told\n    catalog-role: interpret\n    catalog-template: member\n`,
  });
}
