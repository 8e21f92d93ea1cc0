// waypost queue: what is still to be delivered, why it has not been, and what an administrator does about it. A file a verb.

import { Command } from 'commander';
import type { CommandContext } from '../../command.ts';
import { listCommand } from './list.ts';
import { removeCommand } from './remove.ts';
import { retryCommand } from './retry.ts';
import { showCommand } from './show.ts';

export function queueCommand(context: CommandContext): Command {
  const queue = new Command('queue').description('what is still to be delivered');
  for (const verb of [listCommand, showCommand, retryCommand, removeCommand]) queue.addCommand(verb(context));
  return queue;
}
