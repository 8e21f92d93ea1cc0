// NOTIFY on its way from the thread that answers to the main thread, which keeps the sources.
//
// Limits  a report a zone in GATHER_MS: the address of a server can be forged, and a flood must not wake the main thread

import type { Reader } from '../database/operation.ts';
import { isServerOf } from '../provisioning/zone-source.ts';

export interface NotifiedReport {
  readonly kind: 'notified';
  readonly zone: string;
}

const GATHER_MS = 100;

/** For the DNS door: whether this address may say that the zone has changed; then it is reported. */
export function zoneNotified(
  reader: Reader,
  report: (message: NotifiedReport) => void,
): (zone: string, peerAddress: string) => boolean {
  const gathered = new Set<string>();
  return (zone, peerAddress) => {
    // A socket of both families gives IPv4 addresses as IPv6 writes them.
    const address = peerAddress.startsWith('::ffff:') ? peerAddress.slice('::ffff:'.length) : peerAddress;
    if (!isServerOf(reader, zone, address)) return false;
    if (gathered.has(zone)) return true;
    gathered.add(zone);
    setTimeout(() => {
      gathered.delete(zone);
      report({ kind: 'notified', zone });
    }, GATHER_MS).unref();
    return true;
  };
}
