// dns records: what our name server answers for a domain, or what somebody else's should.

import { z } from 'zod';
import type { Reader } from '../database/operation.ts';
import { dcDnOfDomain } from '../directory/dn.ts';
import { findEntry } from '../directory/entries.ts';
import { describeRecords, type RecordsDescription } from '../zones/describe.ts';
import { zoneNames } from '../zones/names.ts';
import { readZoneSettings, type ZoneSite } from '../zones/settings.ts';
import { domainState } from './domain-standing.ts';
import { domainOf } from './naming.ts';
import { adminOperation } from './operation.ts';

export type ShownRecords = RecordsDescription & {
  /** How far they have come: `defined`, `published`, `active`. */
  readonly state: string;
};

export const dnsRecords = ({ reader, zoneSite }: { readonly reader: Reader; readonly zoneSite: ZoneSite }) =>
  adminOperation(
    'dns.records',
    z.strictObject({ domain: z.string().min(1).max(255) }),
    (input): ShownRecords =>
      reader.snapshot(() => {
        const parts = { names: zoneNames(reader), settings: readZoneSettings(reader, zoneSite) };
        const described = describeRecords(domainOf(input.domain), parts);
        const entry = findEntry(reader, dcDnOfDomain(described.domain));
        return { ...described, state: domainState(entry) };
      }),
  );
