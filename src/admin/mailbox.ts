// mailbox check: every row of the store and the queue that is in no legal state. See docs/states.md.

import { z } from 'zod';
import type { Reader } from '../database/operation.ts';
import type { ChannelKind } from '../routing/compile-channel.ts';
import type { CheckProblem } from '../store/check-pages.ts';
import { type CheckedChannel, checkMail } from '../transfer/check.ts';
import { adminOperation } from './operation.ts';

export interface CheckParts {
  readonly reader: Reader;
  /** The directory of the segment files. */
  readonly segments: string;
  /** By kind: the channels that queue rows may name. */
  readonly channels: ReadonlyMap<ChannelKind, CheckedChannel>;
}

/** Beyond this many it is known that something is wrong. */
const PROBLEMS_MAX = 10_000;

export const mailboxCheck = (parts: CheckParts) =>
  adminOperation(
    'mailbox.check',
    /** `bytes`: read every message, too. */
    z.strictObject({ bytes: z.boolean().optional() }),
    async (input): Promise<CheckProblem[]> => {
      const problems: CheckProblem[] = [];
      const { reader, segments, channels } = parts;
      for await (const problem of checkMail({ reader, segments, channels, bytes: input.bytes ?? false })) {
        problems.push(problem);
        if (problems.length >= PROBLEMS_MAX) break;
      }
      return problems;
    },
  );
