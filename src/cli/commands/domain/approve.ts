// waypost domain approve: a domain that waits is let in.

import type { Command } from 'commander';
import type { CommandContext } from '../../command.ts';
import { decision } from './decision.ts';

export function domainApproveCommand(context: CommandContext): Command {
  return decision(context, 'approve', 'a domain that waits is ours: its next message is let in');
}
