// How many connections each client has open, in all threads together.
//
// In      a connection that has come, as the door will see it
// Out     let in, with the way to say that it has closed; or too many
// Limits  `connections-per-peer` of all doors, `smtp-connections-per-peer` beside it at port 25, where other servers call
// Never   counts this machine's own
//
// Counts are token buckets that nothing refills. Those of a thread that has died would stay: from then on all are counted
// anew, under another generation.

import type { Limits } from '../base/limits.ts';
import type { TokenBuckets } from '../base/token-buckets.ts';
import { clientOf, isThisMachine } from '../net/client-of.ts';
import type { ConnectionRecord } from '../net/connection.ts';

export interface ClientConnectionsParts {
  readonly buckets: TokenBuckets;
  readonly limits: Pick<Limits, 'connectionsPerPeerMax' | 'smtpConnectionsPerPeerMax'>;
  /** How many threads have died. */
  readonly generation: () => number;
}

/** Undefined: too many. Otherwise what to call when it has closed. */
export type AdmitConnection = (record: ConnectionRecord) => (() => void) | undefined;

export function admitConnections({ buckets, limits, generation }: ClientConnectionsParts): AdmitConnection {
  const all = { name: 'connections', size: limits.connectionsPerPeerMax, perMinute: 0 };
  const smtp = { name: 'smtp-connections', size: limits.smtpConnectionsPerPeerMax, perMinute: 0 };
  return (record) => {
    if (isThisMachine(record)) return () => {};
    const key = `${generation()} ${clientOf(record.peerAddress)}`;
    const kinds = record.listener === 'smtp' ? [all, smtp] : [all];
    const counts = kinds.map((kind) => buckets.bucket(kind, key));
    const taken = counts.filter((count) => buckets.take(count, 0));
    const close = (): void => {
      for (const count of taken) buckets.giveBack(count, 0);
    };
    if (taken.length === counts.length) return close;
    close();
    return undefined;
  };
}
