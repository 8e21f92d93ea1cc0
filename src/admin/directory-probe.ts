// directory probe: what a source would bring, or what one that is here brings.

import { z } from 'zod';
import { Failure } from '../base/failure.ts';
import { parseLdif } from '../directory/ldif.ts';
import { sourceOfChange } from '../provisioning/ldap-source.ts';
import { ldapSources } from '../provisioning/mirror/mirrors.ts';
import type { SourceProbe } from '../provisioning/mirror/probe.ts';
import { adminOperation } from './operation.ts';
import type { SyncParts } from './sync.ts';

const LDIF_MAX = 1_000_000;

/** By its name, or by the record that would add it. */
export const directoryProbe = ({ reader, directory }: SyncParts) =>
  adminOperation(
    'directory.probe',
    z.union([
      z.strictObject({ source: z.string().min(1).max(255) }),
      z.strictObject({ ldif: z.string().max(LDIF_MAX) }),
    ]),
    (input): Promise<SourceProbe> => {
      if ('source' in input) {
        const source = ldapSources(reader).find(({ name }) => name === input.source.toLowerCase());
        if (source === undefined) throw new Failure('not-found', `${input.source} is not a source of entries`);
        return directory.probe(source);
      }
      const [change, ...more] = parseLdif(input.ldif, 100);
      if (change === undefined || more.length > 0) throw new Failure('invalid', 'One record is expected: the source');
      return directory.probe(sourceOfChange(change));
    },
  );
