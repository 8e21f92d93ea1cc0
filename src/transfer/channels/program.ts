// The program channel: a message on the standard input of a program that the directory names, a run for each recipient.
//
// In      a delivery of one recipient; the destination is the program's name
// Out     its end as an outcome (program/status.ts)
// Order   what it is and whom it runs as -> the words -> the run is in the journey -> it runs
// Limits  as many runs at once as its entry says; time, memory and output: program/run.ts
// Start   what a run before a kill of the server has left is ended, before anything runs
// Never   repeats a run whose end is recorded. A run that the end of this process cuts, or leaves behind, is made once more
// RFC 5321 §4.4 (Return-Path)

import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import type { Clock } from '../../base/clock.ts';
import { idText } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import type { Writer } from '../../database/operation.ts';
import { type Address, formatAddress, withoutSubaddress } from '../../message/address.ts';
import { formatSender } from '../../message/envelope.ts';
import type { ProgramRow } from '../../routing/compile-program.ts';
import type { RoutingSettings } from '../../routing/settings.ts';
import type { Target } from '../../routing/targets.ts';
import type { Blobs } from '../../store/blobs.ts';
import { noteIntent } from '../intend.ts';
import { lfMessage } from '../lf-text.ts';
import { type Outcome, outcome } from '../outcome.ts';
import { argumentsOf, type Variables } from '../program/arguments.ts';
import { type Identity, identityOf } from '../program/identity.ts';
import { endBearers, Marks } from '../program/mark.ts';
import { findPrlimit, runProgram } from '../program/run.ts';
import { programOutcome } from '../program/status.ts';
import type { Channel, Delivered, Delivery } from './channel.ts';

const PATH = '/usr/local/bin:/usr/bin:/bin';
const LANG = 'C.UTF-8';

export interface ProgramChannelParts {
  readonly writer: Writer;
  readonly blobs: Pick<Blobs, 'read'>;
  readonly settings: () => Pick<RoutingSettings, 'programs'>;
  readonly clock: Clock;
  readonly log: Log;
  /** This server among all on the machine, the same in each of its runs. */
  readonly server: string;
}

/** What is to be run, when nothing stands against it. */
interface Runnable {
  readonly path: string;
  readonly row: ProgramRow;
  readonly prlimit: string;
  readonly identity: Identity;
}

export class ProgramChannel implements Channel {
  static readonly kind = { name: 'program', isLocal: false } as const;
  readonly name = ProgramChannel.kind.name;
  readonly isLocal = ProgramChannel.kind.isLocal;
  readonly recipientsMax = 1;
  readonly #parts: ProgramChannelParts;
  readonly #marks: Marks;
  readonly #isSwept: Promise<void>;

  constructor(parts: ProgramChannelParts) {
    this.#parts = parts;
    this.#marks = new Marks(parts.server);
    this.#isSwept = endBearers((mark) => this.#marks.isOurs(mark));
  }

  concurrency(destination: string): number | undefined {
    return this.#parts.settings().programs.get(destination)?.concurrency;
  }

  async deliver(delivery: Delivery, signal: AbortSignal): Promise<Delivered> {
    return { outcomes: [await this.#run(delivery, signal)] };
  }

  async #run(delivery: Delivery, signal: AbortSignal): Promise<Outcome> {
    const { destination: name, envelope, message, rows, targets } = delivery;
    const [target] = targets;
    const [row] = rows;
    await this.#isSwept;
    const runnable = await this.#runnable(name, target!);
    if (typeof runnable === 'string') return outcome('deferred', '4.3.5', `The program ${name}: ${runnable}`);
    const { path, identity, prlimit } = runnable;
    const { arguments: templates, timeMs, memoryBytes, user } = runnable.row;
    const variables = variablesOf(target!.recipient, formatSender(envelope.sender), idText(message.id));
    const words = argumentsOf(templates, variables);
    if (words === undefined)
      return outcome('failed', '5.1.3', `The program ${name} would take an address for an option`);
    const { clock, writer, log, blobs } = this.#parts;
    const recipient = variables.recipient;
    const isOurs = await writer.execute(noteIntent, {
      message: message.id,
      row: row!.id,
      lease: row!.lease,
      intent: null,
      event: { event: 'started', recipient, status: `2.0.0 program ${name} as ${user}` },
      at: clock.now(),
    });
    if (!isOurs) return outcome('deferred', '4.3.0', 'The recipient is not in the queue any more');
    const began = clock.monotonic();
    const environment = environmentOf(variables, row!.attempts + 1);
    const mark = this.#marks.next();
    const command = { path, words, identity, environment, timeMs, memoryBytes, mark };
    const ran = await runProgram(prlimit, command, lfMessage(blobs, delivery, { isMbox: false }), signal);
    const made =
      ran === undefined
        ? outcome('deferred', '4.3.0', `The program ${name} was ended with the server`)
        : programOutcome(name, ran.ended, ran.output);
    log.info('program.run', {
      queue: variables.id,
      name,
      row: row!.id,
      status: made.status,
      ms: Math.round(clock.monotonic() - began),
    });
    return made;
  }

  /** What stands against it, in words: mail waits until somebody has mended it. */
  async #runnable(name: string, { options }: Target): Promise<Runnable | string> {
    const row = this.#parts.settings().programs.get(name);
    if (row === undefined) return 'there is none of this name';
    const { path, user, domains } = row;
    if (path === undefined || user === undefined) return 'its entry does not say what to run';
    if (domains !== undefined && !domains.includes(String(options['domain'])))
      return `${String(options['domain'])} may not use it`;
    if (!(await isExecutable(path))) return `${path} cannot be executed`;
    const identity = await identityOf(user);
    if ('problem' in identity) return identity.problem;
    const prlimit = await findPrlimit();
    if (prlimit === undefined) return 'there is no prlimit on this machine, and nothing runs without limits';
    return { path, row, prlimit, identity };
  }
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

function variablesOf(recipient: Address, sender: string, id: string): Variables {
  const { localPart, domain } = recipient;
  const user = withoutSubaddress(recipient)?.localPart ?? localPart;
  return {
    sender,
    recipient: formatAddress(recipient),
    user,
    detail: localPart.slice(user.length + 1),
    domain,
    id,
  };
}

function environmentOf({ sender, recipient, user, domain, id }: Variables, attempt: number): Record<string, string> {
  return {
    PATH,
    LANG,
    SENDER: sender,
    RECIPIENT: recipient,
    USER: user,
    DOMAIN: domain,
    QUEUE_ID: id,
    ATTEMPT: String(attempt),
  };
}
