// Whose connection it is that has been accepted: the peer's, or behind a trusted proxy that of the client it names.
//
// In      an accepted socket, unread; `[proxy]` of the configuration
// Out     the connection's record: at once, or when the PROXY header has come
// Errors  a connection whose header does not come or is none is closed; one line a minute in the log, of the whole process

import type { Socket } from 'node:net';
import { systemClock } from '../base/clock.ts';
import { asFailure } from '../base/failure.ts';
import type { Log } from '../base/log.ts';
import type { SharedState } from '../database/shared.ts';
import { type ConnectionRecord, describeConnection } from '../net/connection.ts';
import { Proxies, type ProxyOptions, proxiedRecord } from '../net/proxies.ts';
import { readProxyHeader } from '../net/read-proxy-header.ts';
import type { ListenerName } from './listeners.ts';

export interface IdentifyParts {
  readonly proxy: ProxyOptions;
  readonly shared: SharedState;
  readonly log: Log;
}

/** `identified` is not called for a connection that is closed. */
export type IdentifyClient = (
  socket: Socket,
  listener: ListenerName,
  identified: (record: ConnectionRecord) => void,
) => void;

/** A proxy that is set up wrongly, or a check that only connects, comes again and again. */
const WARNINGS = { name: 'proxy-warnings', size: 1, perMinute: 1 };

export function createIdentifyClient({ proxy, shared, log }: IdentifyParts): IdentifyClient {
  const proxies = new Proxies(proxy);
  const { useBuckets } = shared;
  const warnings = useBuckets.bucket(WARNINGS, '');
  const warn = (listener: ListenerName, peer: string, error: unknown): void => {
    if (!useBuckets.take(warnings, systemClock.monotonic())) return;
    log.warn('proxy.refuse', { listener, peer, detail: asFailure(error).message });
  };
  return (socket, listener, identified) => {
    const record = describeConnection(socket, listener);
    if (!proxies.mustSendHeader(record)) {
      identified(record);
      return;
    }
    readProxyHeader(socket).then(
      (header) => {
        if (!socket.destroyed) identified(proxiedRecord(record, header));
      },
      (error: unknown) => warn(listener, record.peerAddress, error),
    );
  };
}
