// dns records: what our name server answers for a domain, or what somebody else's should.

import { z } from 'zod';
import { describeRecords, type RecordsDescription } from '../zones/describe.ts';
import type { ZoneParts } from '../zones/records.ts';
import { domainOf } from './naming.ts';
import { adminOperation } from './operation.ts';

export const dnsRecords = (parts: () => ZoneParts) =>
  adminOperation(
    'dns.records',
    z.object({ domain: z.string().min(1).max(255) }),
    (input): RecordsDescription => describeRecords(domainOf(input.domain), parts()),
  );
