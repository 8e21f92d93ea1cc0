// audit list: who tried to log in, from where, with what result; who changed what.

import { z } from 'zod';
import type { AuditLine } from '../audit/line.ts';
import { type AuditPosition, readAudit } from '../audit/read.ts';
import { adminOperation } from './operation.ts';

export interface AuditParts {
  /** The folder of the audit's files. */
  readonly auditDirectory: string;
}

export interface AuditListed {
  /** The oldest first. */
  readonly lines: readonly AuditLine[];
  /** For `after`, to go on; null at the end. A page may be empty and not the last. */
  readonly next: AuditPosition | null;
}

const position = z.strictObject({ day: z.iso.date(), offset: z.number().int().min(0) });

export const auditList = (parts: AuditParts) =>
  adminOperation(
    'audit.list',
    z.strictObject({
      account: z.string().min(1).max(8192).optional(),
      peer: z.string().min(1).max(64).optional(),
      since: z.iso.datetime({ offset: true }).optional(),
      after: position.optional(),
    }),
    async ({ account, peer, since, after }): Promise<AuditListed> => {
      const from = since === undefined ? undefined : new Date(since).toISOString();
      const { lines, next } = await readAudit(parts.auditDirectory, { account, peer, since: from }, after);
      return { lines, next: next ?? null };
    },
  );
