// How long a change takes from its acknowledgement to a slapd that follows: Debian's slapd as the consumer of either side.
//
// Out     lag_ms, the median; changes one at a time, each looked for at the consumer until it is there
// The consumer follows one domain's subtree; it is asked over one connection, without a pause, for as long as it takes

import { RawClient, searchFor } from '../src/protocols/ldap/testing.ts';
import { startSlapdConsumer } from '../test/support/slapd-consumer.ts';
import { median } from './figures.ts';
import type { Figures } from './generate.ts';

const CHANGES = 200;
/** The first refresh, on a busy machine. */
const LOAD_MS = 300_000;

export interface FollowedServer {
  readonly port: number;
  readonly bindDn: string;
  readonly password: string;
  /** What OpenLDAP's own schema lacks. */
  readonly schema: string;
  readonly base: string;
  /** Below the base. */
  readonly user: string;
}

export async function followLag(server: FollowedServer): Promise<Figures> {
  const { port, bindDn, password, schema, base, user } = server;
  const consumer = await startSlapdConsumer({ provider: () => port, bindDn, password, schema, base });
  const [there, here] = await Promise.all([RawClient.open(Number(new URL(consumer.url).port)), RawClient.open(port)]);
  try {
    if ((await here.bind(bindDn, password)) !== 0) throw new Error(`no bind as ${bindDn}`);
    const change = async (value: string): Promise<number> => {
      const modifications = [{ operation: 'replace', attribute: 'description', values: [value] }] as const;
      here.request({ kind: 'modify', dn: user, modifications });
      const code = (await here.result())?.code;
      if (code !== 0) throw new Error(`modify: ${code}`);
      return performance.now();
    };
    const seen = async (value: string, by: number): Promise<number> => {
      for (;;) {
        there.request(searchFor(user, { text: `(description=${value})`, attributes: ['1.1'] }));
        if ((await there.result())?.entries.length === 1) return performance.now();
        if (performance.now() > by)
          throw new Error(`the consumer has not got ${value}: ${consumer.log().slice(-2000)}`);
      }
    };
    await seen('first', (await change('first')) + LOAD_MS);
    const lags: number[] = [];
    for (let at = 0; at < CHANGES; at++) {
      const committed = await change(`lag${at}`);
      lags.push((await seen(`lag${at}`, committed + LOAD_MS)) - committed);
    }
    return {
      lag_ms: Number(median(lags).toFixed(3)),
      p90_ms: Number(lags.sort((a, b) => a - b)[CHANGES * 0.9]!.toFixed(3)),
    };
  } finally {
    there.socket.destroy();
    here.socket.destroy();
    await consumer.stop();
  }
}
