// waypost user: people with a mailbox, and what becomes of their mail. A file a verb.

import { Command } from 'commander';
import type { CommandContext } from '../../command.ts';
import { userAddCommand } from './add.ts';
import { userListCommand } from './list.ts';
import { userMoveCommand } from './move.ts';
import { userRemoveCommand } from './remove.ts';
import { userSetCommand } from './set.ts';
import { userShowCommand } from './show.ts';
import { userSuspendCommand } from './suspend.ts';

const VERBS = [
  ...[userAddCommand, userListCommand, userShowCommand, userMoveCommand],
  ...[userSetCommand, userSuspendCommand, userRemoveCommand],
];

export function userCommand(context: CommandContext): Command {
  const user = new Command('user').description('people with a mailbox');
  for (const verb of VERBS) user.addCommand(verb(context));
  return user;
}
