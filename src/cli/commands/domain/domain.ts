// waypost domain: mail domains, and those that messages have named. A file a verb.

import { Command } from 'commander';
import type { CommandContext } from '../../command.ts';
import { domainAddCommand } from './add.ts';
import { domainApproveCommand } from './approve.ts';
import { domainListCommand } from './list.ts';
import { domainPendingCommand } from './pending.ts';
import { domainRefuseCommand } from './refuse.ts';
import { domainRemoveCommand } from './remove.ts';
import { domainRenameCommand } from './rename.ts';
import { domainShowCommand } from './show.ts';
import { domainTokenCommand } from './token.ts';

const VERBS = [
  ...[domainAddCommand, domainListCommand, domainShowCommand, domainRenameCommand],
  ...[domainRemoveCommand, domainPendingCommand, domainApproveCommand, domainRefuseCommand, domainTokenCommand],
];

export function domainCommand(context: CommandContext): Command {
  const domain = new Command('domain').description('mail domains');
  for (const verb of VERBS) domain.addCommand(verb(context));
  return domain;
}
