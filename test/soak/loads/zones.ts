// Names that DNS serves: questions over UDP and TCP, changes that BIND gets by NOTIFY and difference, whole zones by dig.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { DnsServer } from '../../../src/net/dns-exchange.ts';
import { rdataText } from '../../../src/wire/dns/text.ts';
import type { WrittenType } from '../../../src/wire/dns/zone-file.ts';
import type { Waypost } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { type Load, served } from '../pace.ts';
import { NotYet } from '../refusals.ts';
import { DOMAIN, type World, zoneEntryDn } from '../world.ts';

const run = promisify(execFile);

export interface Question {
  readonly at: DnsServer;
  readonly name: string;
  readonly type: WrittenType | 'SOA';
  readonly tcp?: boolean;
}

/** Records as text, in order. Where nothing was found out it throws NotYet. */
export async function asked({ dns }: World, { at, name, type, tcp = false }: Question): Promise<string[]> {
  const reply = await dns.ask(name, type, { servers: [at], tcp, recordsMax: 100 });
  if ('unavailable' in reply) throw new NotYet(`${name} ${type}: ${reply.unavailable}`);
  return reply.answers
    .filter((record) => record.type === type)
    .map(rdataText)
    .sort();
}

export const dnsOf = ({ listeners }: Waypost): DnsServer => ({
  address: listeners.dns.host,
  port: listeners.dns.port,
});

const question = (name: string, perSecond: number, tcp: boolean): Load => ({
  name,
  perSecond,
  run: (world) =>
    served(name, async () => {
      const at = dnsOf(world.one([world.mx1, world.mx2]));
      const found = await asked(world, { at, name: DOMAIN, type: 'MX', tcp });
      if (found.length === 0) throw new Error(`${DOMAIN} has no MX at ${at.address}`);
    }),
});

export const questionsOverUdp = question('question over UDP', 4, false);
export const questionsOverTcp = question('question over TCP', 1, true);

export const zoneChanges: Load = {
  name: 'change of a zone, and its secondary',
  perSecond: 0.2,
  async run(world) {
    const label = `n${world.next()}`;
    const name = `${label}.${DOMAIN}`;
    const address = `192.0.2.${1 + (world.next() % 250)}`;
    const has = async (at: DnsServer, wanted: string): Promise<boolean> =>
      (await served(name, () => asked(world, { at, name, type: 'A' }))).join() === wanted;
    const dn = zoneEntryDn(label);
    const attributes = { objectClass: 'dNSDomain', dc: label, aRecord: address };
    await world.withAdministrator(world.mx1, (client) => client.add(dn, attributes));
    if (!(await has(dnsOf(world.mx1), address))) throw new Error(`${name} is not served behind its add`);
    await until(`${name} at the secondary`, () => has(world.bind, address));
    await world.withAdministrator(world.mx1, (client) => client.del(dn));
    if (!(await has(dnsOf(world.mx1), ''))) throw new Error(`${name} is served behind its removal`);
  },
};

/** Of mx2, too, which tells the same zone. */
export const wholeZones: Load = {
  name: 'whole zone by AXFR',
  perSecond: 0.1,
  run: (world) =>
    served('AXFR', async () => {
      const { address, port } = dnsOf(world.mx1);
      const words = [`@${address}`, '-p', String(port), DOMAIN, 'AXFR', '+time=60', '+tries=1', '+nocmd', '+nostats'];
      const { stdout } = await run('dig', words);
      const lines = stdout.split('\n').filter((line) => line !== '' && !line.startsWith(';'));
      const [first, last] = [lines[0] ?? '', lines.at(-1)];
      // Between two, a change may have come; within one it may not.
      if (!/\sSOA\s/.test(first) || lines.length < 3) throw new NotYet(`dig has no zone: ${stdout.slice(0, 200)}`);
      if (first !== last) throw new Error(`a whole zone ends as it does not begin: ${last}`);
    }),
};
