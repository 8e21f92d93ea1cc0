// waypost user set: what becomes of a user's mail.

import { Command } from 'commander';
import { Failure } from '../../../base/failure.ts';
import { type CommandContext, common, type DryRunOptions } from '../../command.ts';
import { readText } from '../../text.ts';
import { changedText } from '../changed.ts';

interface SetOptions extends DryRunOptions {
  /** False: --no-forward. */
  readonly forward?: string[] | false;
  readonly vacationFrom?: string;
  readonly vacationUntil?: string;
  readonly vacationText?: string;
  /** False: --no-vacation. */
  readonly vacation?: boolean;
  readonly quota?: string;
  readonly messageQuota?: string;
}

export function userSetCommand(context: CommandContext): Command {
  return common(new Command('set'))
    .description("what becomes of a user's mail; what is not named stays as it is")
    .argument('<address>')
    .option('--forward <address...>', 'mail goes on to these addresses')
    .option('--no-forward', 'mail goes on to nobody')
    .option('--vacation-from <day>', 'senders are answered from this day on, say 2026-12-20 (UTC), or from a time')
    .option('--vacation-until <day>', 'and up to the end of this day')
    .option('--vacation-text <text>', 'with this text; - reads it from standard input')
    .option('--no-vacation', 'senders are not answered')
    .option(
      '--quota <size>',
      'what the mailbox may hold: 2G, with K, M or G; 0 no mail, -1 no limit, -2 what the domain says',
    )
    .option(
      '--message-quota <number>',
      'how many messages it may hold; 0 no mail, -1 no limit, -2 what the domain says',
    )
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (address: string, options: SetOptions) => {
      const changed = await context.client(options).call('user.set', {
        address,
        dryRun: options.dryRun,
        forward: options.forward === false ? [] : options.forward,
        vacation: await vacationOf(options),
        quota: options.quota,
        messageQuota: options.messageQuota,
      });
      context.printer(options).print(changed, () => changedText(changed));
    });
}

async function vacationOf(options: SetOptions) {
  const { vacation, vacationFrom: from, vacationUntil: until, vacationText: text } = options;
  if ([from, until, text].every((each) => each === undefined)) return vacation === false ? vacation : undefined;
  if (vacation === false) throw new Failure('invalid', '--no-vacation with a vacation');
  return { from, until, text: text === '-' ? await readText() : text };
}
