// Who has come near to the limit of the mailbox is told, once, by a message in it.
//
// In      accounts that a delivery has noted (store/quota.ts); what they may hold and do hold now
// Out     a message to the INBOX, whatever other delivery options there are, accepted in the transaction that ends the note: so
//         it exists once, whatever ends the process
// States  idle -> warning -> idle; a note that comes meanwhile is looked for behind it
// Errors  what the writer cannot take now is tried again (base/looks.ts)

import { asFailure } from '../base/failure.ts';
import { type AccountId, idText, type MessageId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { Looks } from '../base/looks.ts';
import { type Operation, operation, type Reader, type Writer } from '../database/operation.ts';
import { SERVER } from '../directory/caller.ts';
import { type Address, formatAddress } from '../message/address.ts';
import { formatMailDate } from '../message/date.ts';
import type { Login } from '../routing/login.ts';
import type { Site } from '../routing/resolve.ts';
import { addressOfKey } from '../routing/rows.ts';
import { standingOfUuid } from '../routing/standing.ts';
import type { Intakes } from '../store/intake.ts';
import { accountsToWarn, endWarning, percentOf, type QuotaLimit, type QuotaUse, quotaUse } from '../store/quota.ts';
import { type AcceptArguments, type Accepted, accept } from './accept.ts';
import { takeMade } from './made-mail.ts';
import type { PlaceParts } from './place.ts';
import { postmasterOf } from './reports/make.ts';
import { type PrepareParts, submit } from './submit.ts';

const ACCOUNTS_AT_ONCE = 50;
const NOTHING: Accepted = { kinds: [], results: [], delivered: 0, queued: 0 };

interface WarningArguments {
  readonly account: AccountId;
  readonly warning: AcceptArguments | undefined;
}

/** Without a warning the note ends alone. */
export function quotaWarningOperation(parts: PlaceParts): Operation<WarningArguments, Accepted> {
  return operation('transfer.quotaWarning', async (tx, { account, warning }) => {
    const isDue = await endWarning(tx, account);
    return isDue && warning !== undefined ? accept(tx, warning, parts) : NOTHING;
  });
}

export interface QuotaWarningParts extends PrepareParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly log: Log;
  readonly intakes: Intakes;
  readonly nextId: () => MessageId;
  readonly site: Site;
  readonly operation: Operation<WarningArguments, Accepted>;
}

export class QuotaWarnings {
  readonly #parts: QuotaWarningParts;
  readonly #looks: Looks;

  constructor(parts: QuotaWarningParts) {
    this.#parts = parts;
    this.#looks = new Looks({
      look: () => this.#look(),
      failed: (error, pauseMs) => {
        const { kind, detail, message } = asFailure(error);
        parts.log.warn('quota.warn', { kind, detail: detail ?? message, pauseMs });
      },
    });
  }

  start(): void {
    this.#looks.start();
  }

  /** Somebody may have to be warned. */
  wake(): void {
    this.#looks.wake();
  }

  stop(): Promise<void> {
    return this.#looks.stop();
  }

  async #look(): Promise<boolean> {
    const due = accountsToWarn(this.#parts.reader, ACCOUNTS_AT_ONCE);
    for (const { account, uuid } of due) if (!this.#looks.isStopping) await this.#warn(account, uuid);
    return due.length === ACCOUNTS_AT_ONCE;
  }

  async #warn(account: AccountId, uuid: string): Promise<void> {
    const { reader, writer, site, clock } = this.#parts;
    const login = standingOfUuid(reader, site, uuid)?.login;
    const to = addressOf(login);
    const quota = login?.quota;
    // Nobody is there any more, or the limit is gone.
    if (to === undefined || quota === undefined) {
      await writer.execute(this.#parts.operation, { account, warning: undefined });
      return;
    }
    const id = this.#parts.nextId();
    const use = quotaUse(reader, account);
    const bytes = Buffer.from(warningText({ to, from: postmasterOf(site), id, at: clock.now(), limit: quota, use }));
    const taken = await takeMade(this.#parts, { bytes, sender: undefined, id });
    const commit = (warning: AcceptArguments): Promise<Accepted> =>
      writer.execute(this.#parts.operation, { account, warning }, bytes.length);
    try {
      await submit(
        { ...this.#parts, commit },
        {
          envelope: { sender: undefined, recipients: [{ address: to, notify: [] }], body: '7BIT' },
          message: taken,
          caller: SERVER,
          mayRelay: false,
          door: 'internal',
          refused: 'return',
          part: { part: 'mailbox' },
        },
      );
      this.#parts.log.info('quota.warn', { queue: idText(id), to: formatAddress(to) });
    } finally {
      taken.pending.settle();
    }
  }
}

function addressOf(login: Login | undefined): Address | undefined {
  const primary = login?.addresses[0];
  return primary === undefined ? undefined : addressOfKey(primary);
}

interface Warning {
  readonly to: Address;
  readonly from: Address;
  readonly id: MessageId;
  readonly at: number;
  readonly limit: QuotaLimit;
  readonly use: QuotaUse;
}

function warningText({ to, from, id, at, limit, use }: Warning): string {
  const percent = Math.min(100, Math.floor(percentOf(limit, use)));
  const held = [
    limit.octets === undefined ? [] : `${mebibytes(use.octets)} of ${mebibytes(limit.octets)} MiB`,
    limit.messages === undefined ? [] : `${use.messages} of ${limit.messages} messages`,
  ].flat();
  return [
    `From: Mail system <${formatAddress(from)}>`,
    `To: <${formatAddress(to)}>`,
    `Subject: Your mailbox is ${percent} % full`,
    `Date: ${formatMailDate(at)}`,
    `Message-ID: <${idText(id)}@${from.domain}>`,
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=us-ascii',
    '',
    `Your mailbox has ${held.join(' and ')}.`,
    '',
    'When it is full, mail to you waits with its senders, and comes back to them after some days.',
    'Delete what you no longer need, and empty the folder of deleted messages.',
    '',
  ].join('\r\n');
}

function mebibytes(octets: number): string {
  return (octets / 1024 ** 2).toFixed(1);
}
