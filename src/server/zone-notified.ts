// NOTIFY on its way from the thread that answers to the main thread, which keeps the sources.

import type { Reader } from '../database/operation.ts';
import { isServerOf } from '../provisioning/zone-source.ts';

export interface NotifiedReport {
  readonly kind: 'notified';
  readonly zone: string;
}

/** For the DNS door: whether this address may say that the zone has changed; then it is reported. */
export function zoneNotified(
  reader: Reader,
  report: (message: NotifiedReport) => void,
): (zone: string, peerAddress: string) => boolean {
  return (zone, peerAddress) => {
    // A socket of both families gives IPv4 addresses as IPv6 writes them.
    const address = peerAddress.startsWith('::ffff:') ? peerAddress.slice('::ffff:'.length) : peerAddress;
    if (!isServerOf(reader, zone, address)) return false;
    report({ kind: 'notified', zone });
    return true;
  };
}
