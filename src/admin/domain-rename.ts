// domain rename: another name for a mail domain. It goes on by itself; who asks again hears how far it is.

import { z } from 'zod';
import type { DomainRenames, RenameProgress } from '../provisioning/domain-rename/renames.ts';
import { named } from './entries.ts';
import { domainOf } from './naming.ts';
import { adminOperation } from './operation.ts';

const name = z.string().min(1).max(255);
/** Until an answer, where it takes longer. */
const WAIT_MS = 1000;

export interface DomainRenameParts {
  readonly domainRenames: DomainRenames;
}

export const domainRename = ({ domainRenames }: DomainRenameParts) =>
  adminOperation('domain.rename', z.object({ from: name, to: name }), (input, caller): Promise<RenameProgress> => {
    const [from, to] = [domainOf(input.from), domainOf(input.to)];
    return named(domainRenames.rename({ from, to }, caller, WAIT_MS), {
      entryAlreadyExists: `${to} has an entry already that is no mail domain`,
    });
  });
