// All kinds of load.

import type { Load } from '../pace.ts';
import { deliveries } from './deliveries.ts';
import { httpChanges, ldapChanges, ldapChangesAtSecond } from './directory.ts';
import { logins } from './logins.ts';
import { imapReaders, popReaders, popReadersOfSecond } from './mailboxes.ts';
import { publishedDomains } from './publishing.ts';
import { submissions } from './queue.ts';
import { sourceChanges } from './source.ts';
import { questionsOverTcp, questionsOverUdp, wholeZones, zoneChanges } from './zones.ts';

export const LOADS: readonly Load[] = [
  ...logins,
  deliveries,
  popReaders,
  imapReaders,
  popReadersOfSecond,
  submissions,
  ldapChanges,
  ldapChangesAtSecond,
  httpChanges,
  questionsOverUdp,
  questionsOverTcp,
  zoneChanges,
  wholeZones,
  publishedDomains,
  sourceChanges,
];
