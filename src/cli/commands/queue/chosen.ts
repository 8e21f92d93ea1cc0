// Which rows a queue command means: ids, or filters, which are asked about on a terminal before anything is changed.

import { type Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { AdminInput } from '../../../admin/operations.ts';
import type { ManagedQueue } from '../../../admin/queue/selected.ts';
import { DURATION_TEXT, DURATION_WORDS, durationMs } from '../../../base/duration.ts';
import { EXIT } from '../../../base/exit.ts';
import { type CommandContext, type CommonOptions, common } from '../../command.ts';
import { confirmed } from '../../confirm.ts';

export interface FilterOptions extends CommonOptions {
  readonly channel?: string;
  readonly destination?: string;
  readonly domain?: string;
  readonly sender?: string;
  readonly recipient?: string;
  readonly state?: (typeof STATES)[number];
  readonly heldBy?: (typeof HOLDERS)[number];
  readonly older?: number;
  readonly reason?: string;
}

export interface ChosenOptions extends FilterOptions {
  readonly all?: boolean;
  readonly dryRun?: boolean;
}

const STATES = ['waiting', 'held', 'failed', 'done', 'active'] as const;
const HOLDERS = ['routing', 'custody', 'admin', 'moderation', 'suspended'] as const;

export function withFilters(command: Command): Command {
  return common(command)
    .option('--channel <name>', 'rows of this channel')
    .option('--destination <destination>', 'rows for this destination, as queue list shows it')
    .option('--domain <domain>', 'rows whose recipient is of this domain')
    .option('--sender <address>', 'rows of this sender; <> for reports')
    .option('--recipient <address>', 'rows of this recipient')
    .addOption(new Option('--state <state>', 'rows in this state').choices(STATES))
    .addOption(new Option('--held-by <whom>', 'rows that are held by this').choices(HOLDERS))
    .option('--older <time>', 'rows that came so long ago or longer: 2h, 3d', duration)
    .option('--reason <text>', 'rows whose last error has this in it');
}

function duration(text: string): number {
  if (!DURATION_TEXT.test(text)) throw new InvalidArgumentError(DURATION_WORDS);
  return durationMs(text);
}

/** For the operation; `{}` where none is given. */
export function filtersOf({
  channel,
  destination,
  domain,
  sender,
  recipient,
  state,
  heldBy,
  older,
  reason,
}: FilterOptions) {
  const olderMs = older;
  const all = { channel, destination, domain, sender, recipient, state, heldBy, olderMs, reason };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Partial<
    Pick<typeof all, keyof typeof all>
  >;
}

/** A verb that takes ids or filters. */
export function choosing(command: Command): Command {
  return withFilters(command.argument('[id...]', 'of rows as in queue list, or queue ids of messages'))
    .option('--dry-run', 'say how many, and change nothing')
    .option('--json', 'print JSON');
}

/** What a verb asks its operation for. */
type Asked = AdminInput<'queue.remove'>;

export interface Change<Options extends ChosenOptions> {
  readonly ids: string[];
  readonly options: Options;
  /** `held`, for `3 rows held` and `3 rows would be held`. */
  readonly done: string;
  readonly would: string;
  /** Calls the operation. */
  readonly run: (asked: Asked) => Promise<ManagedQueue>;
}

/** With filters: counted first, asked about on a terminal, and then done to the rows that were counted. */
export async function askAndChange<Options extends ChosenOptions>(
  context: CommandContext,
  { ids, options, done, would, run }: Change<Options>,
): Promise<void> {
  const filters = filtersOf(options);
  const hasFilters = Object.keys(filters).length > 0;
  const all = options.all === true;
  if ([ids.length > 0, hasFilters, all].filter(Boolean).length !== 1)
    throw new CommanderError(EXIT.usage, 'waypost.ids', 'give ids, or options that say which rows');
  const asked: Asked = ids.length > 0 ? { ids } : filters;
  let managed: ManagedQueue;
  if (options.dryRun === true) managed = await run({ ...asked, dryRun: true });
  else if (!hasFilters) managed = await run(asked);
  else {
    managed = await run({ ...asked, dryRun: true });
    const isWanted = managed.recipients > 0 && (await confirmed(`${countOf(managed)}: ${would}?`));
    if (isWanted) managed = await run({ ...asked, upTo: managed.upTo });
    else if (managed.recipients > 0) {
      context.exit(EXIT.no);
      return;
    }
  }
  context.printer(options).print(managed, () => text(managed, managed.dryRun ? would : done, hasFilters));
  if (managed.unknown.length > 0 || (hasFilters && managed.recipients === 0)) context.exit(EXIT.no);
}

function countOf({ messages, recipients }: ManagedQueue): string {
  return `${messages} ${messages === 1 ? 'message' : 'messages'}, ${rowsText(recipients, 'recipient')}`;
}

function rowsText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function text(managed: ManagedQueue, done: string, hasFilters: boolean): string {
  const { changed, busy, held, begun, lists, unknown } = managed;
  const lines = hasFilters ? [countOf(managed)] : [];
  if (managed.recipients > 0 || !hasFilters) lines.push(`${rowsText(changed, 'row')} ${done}`);
  if (busy > 0) lines.push(`${rowsText(busy, 'row')} left alone: a channel works on them just now`);
  if (begun > 0)
    lines.push(
      `${rowsText(begun, 'row')} left alone: perhaps in place already, elsewhere the message would be there twice`,
    );
  if (lists > 0) lines.push(`${rowsText(lists, 'row')} left alone: lists, which are read here`);
  if (held > 0) lines.push(`${rowsText(held, 'row')} left alone: held, see queue release`);
  if (unknown.length > 0) lines.push(`no such row: ${unknown.join(' ')}`);
  return lines.join('\n');
}
