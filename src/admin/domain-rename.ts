// domain rename: another name for a mail domain. It goes on by itself; the same command again says how far it is. A dry run says who would
// be renamed, once all have been looked at.

import { z } from 'zod';
import type { DomainRenames, RehearsedRename, RenameProgress } from '../provisioning/domain-rename/renames.ts';
import { dryRun, named } from './entries.ts';
import { domainOf } from './naming.ts';
import { adminOperation } from './operation.ts';

const name = z.string().min(1).max(255);
/** Until an answer, where it takes longer. */
const WAIT_MS = 1000;

export interface DomainRenameParts {
  readonly domainRenames: DomainRenames;
}

export const domainRename = ({ domainRenames }: DomainRenameParts) =>
  adminOperation(
    'domain.rename',
    z.strictObject({ from: name, to: name, dryRun }),
    (input, caller): Promise<RenameProgress | RehearsedRename> => {
      const names = { from: domainOf(input.from), to: domainOf(input.to) };
      const renamed =
        input.dryRun === true ? domainRenames.rehearse(names, caller) : domainRenames.rename(names, caller, WAIT_MS);
      return named(renamed, { entryAlreadyExists: `${names.to} has an entry already that is no mail domain` });
    },
  );
