// waypost domain refuse: a domain that waits is not let in.

import type { Command } from 'commander';
import type { CommandContext } from '../../command.ts';
import { decision } from './decision.ts';

export function domainRefuseCommand(context: CommandContext): Command {
  return decision(context, 'refuse', 'a domain that waits is refused, and no message brings it again');
}
