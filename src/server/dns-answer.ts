// How a thread answers DNS queries: from the zones, with a memory, cookies and a limit of equal answers.
//
// In      the thread's parts; who may say that a zone of theirs has changed
// Out     the answer function of its doors. Cookies that one thread gives out are good in the others

import { systemClock } from '../base/clock.ts';
import { isLoopbackAddress } from '../net/client-of.ts';
import { type Answer, type AnswerParts, createAnswer } from '../protocols/dns/answer.ts';
import { Cookies } from '../protocols/dns/cookies.ts';
import { ResponseRate } from '../protocols/dns/rate.ts';
import { zoneLookUp, zoneMoves } from '../zones/look-up.ts';
import { readZoneSettings, type ZoneSite } from '../zones/settings.ts';
import type { ThreadParts } from './threads/parts.ts';
import { zoneTransfers } from './zone-transfers.ts';

export function createDnsAnswer(
  { database: { reader }, shared, log, counters }: ThreadParts,
  site: ZoneSite,
  notified: AnswerParts['notified'],
): Answer {
  const moves = zoneMoves(reader);
  const secondaries = (): ReadonlySet<string> => {
    const { nameServers } = reader.snapshot(() => readZoneSettings(reader, site));
    const theirs = nameServers.filter(({ role }) => role === 'secondary');
    return new Set(theirs.flatMap(({ addresses }) => addresses.map(({ address }) => address)));
  };
  let known = secondaries();
  return createAnswer({
    lookUp: zoneLookUp(reader, site),
    revision: () => shared.revision(),
    moved() {
      const moved = moves();
      if (moved === undefined || moved.all) known = secondaries();
      return moved;
    },
    transfers: zoneTransfers({ reader, site, log }),
    cookies: new Cookies(shared.secret, systemClock.now),
    rate: new ResponseRate(() => performance.now()),
    isExempt: (address) => isLoopbackAddress(address) || known.has(address),
    ...(notified === undefined ? {} : { notified }),
    log,
    onAnswer: (result) => counters.add('dns', result),
  });
}
