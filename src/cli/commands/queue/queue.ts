// waypost queue: what is still to be delivered, why it has not been, and what an administrator does about it. A file a verb.

import { Command } from 'commander';
import type { CommandContext } from '../../command.ts';
import { holdCommand } from './hold.ts';
import { importCommand } from './import.ts';
import { listCommand } from './list.ts';
import { releaseCommand } from './release.ts';
import { removeCommand } from './remove.ts';
import { rerouteCommand } from './reroute.ts';
import { retryCommand } from './retry.ts';
import { showCommand } from './show.ts';

const VERBS = [
  ...[listCommand, showCommand],
  ...[retryCommand, holdCommand, releaseCommand, rerouteCommand, removeCommand, importCommand],
];

export function queueCommand(context: CommandContext): Command {
  const queue = new Command('queue').description('what is still to be delivered');
  for (const verb of VERBS) queue.addCommand(verb(context));
  return queue;
}
