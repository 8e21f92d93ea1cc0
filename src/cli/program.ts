// The command line: a noun and a verb to an operation of the running server, its answer to text or JSON, failures to exit codes.
//
// Out  standard output: what was asked for. Standard error: one line that says what is wrong and what to do
// One file a noun below commands/

import { Command, CommanderError } from 'commander';
import { ConfigurationFailure, EXIT, exitCode } from '../base/exit.ts';
import { asFailure, Failure } from '../base/failure.ts';
import { AdminClient, NoServer } from './client.ts';
import { type CommandContext, type CommonOptions, common } from './command.ts';
import { auditCommand } from './commands/audit.ts';
import { certCommand } from './commands/cert.ts';
import { channelCommand } from './commands/channel.ts';
import { completionCommand } from './commands/completion.ts';
import { directoryCommand } from './commands/directory.ts';
import { dkimCommand } from './commands/dkim.ts';
import { dnsCommand } from './commands/dns.ts';
import { domainCommand } from './commands/domain/domain.ts';
import { groupCommand } from './commands/group.ts';
import { hostCommand } from './commands/host.ts';
import { mailboxCommand } from './commands/mailbox/mailbox.ts';
import { queueCommand } from './commands/queue/queue.ts';
import { routeCommand } from './commands/route.ts';
import { ruleCommand } from './commands/rule.ts';
import { statusCommand } from './commands/status.ts';
import { syncCommand } from './commands/sync.ts';
import { tokenCommand } from './commands/token.ts';
import { traceCommand } from './commands/trace.ts';
import { userCommand } from './commands/user/user.ts';
import { printer } from './output.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Verbs that stand below this folder come as arguments. */
export interface Verbs<Located extends { readonly data: string }> {
  readonly environment: Environment;
  /** Of this program. */
  readonly version: string;
  /** The whole configuration. */
  readonly locate: (options: CommonOptions, environment: Environment) => Located | Promise<Located>;
  /** The data directory alone; where a file has to be read for it, later. */
  readonly locateData: (options: CommonOptions, environment: Environment) => string | Promise<string>;
  readonly serve: (configuration: Located) => Promise<number>;
  readonly dev: (options: DevOptions) => Promise<number>;
  readonly demo: (json: boolean, environment: Environment) => Promise<number>;
  readonly sendmail: (argv: readonly string[]) => Promise<number>;
}

/** Gives the exit code. */
export async function run<Located extends { readonly data: string }>(
  argv: readonly string[],
  verbs: Verbs<Located>,
): Promise<number> {
  let code: number = EXIT.done;
  /** The first error of the standard output. */
  let lost: NodeJS.ErrnoException | undefined;
  const context: CommandContext = {
    client(options) {
      return new AdminClient(located(() => verbs.locateData(options, verbs.environment)));
    },
    editor: verbs.environment['VISUAL'] || verbs.environment['EDITOR'] || 'vi',
    printer: (options) => printer(options.json === true, (text) => process.stdout.write(text)),
    exit(exit) {
      code = exit;
    },
  };
  const serve = serveCommand(async (options) => {
    code = await verbs.serve(await located(() => verbs.locate(options, verbs.environment)));
    // What it had to say was for its start.
    lost = undefined;
  });
  const dev = devCommand(async (options) => {
    code = await verbs.dev(options);
  });
  const demo = demoCommand(async (options) => {
    code = await verbs.demo(options.json === true, verbs.environment);
  });
  const sendmail = sendmailCommand(async (argv) => {
    code = await verbs.sendmail(argv);
  });
  const program = buildProgram(context, serve, dev, demo, sendmail).version(
    verbs.version,
    '--version',
    'print the version',
  );
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // The reader of a pipe may close it early (`| head`): the rest of the output is dropped.
    if (error.code !== 'EPIPE') lost ??= error;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    code = complain(error);
  }
  await new Promise<void>((written) => process.stdout.write('', () => setImmediate(written)));
  return lost === undefined ? code : notAllWritten(lost);
}

/** An export, or a token that is shown once: who reads it later must not take it for whole. */
function notAllWritten({ code = 'an error' }: NodeJS.ErrnoException): number {
  process.stderr.write(`waypost: standard output could not be written (${code}): what is there is not all of it\n`);
  return EXIT.ioError;
}

/** What is wrong with a configuration has an exit code of its own. */
async function located<T>(locate: () => T | Promise<T>): Promise<T> {
  try {
    return await locate();
  } catch (error) {
    if (error instanceof Failure && error.kind !== 'denied')
      throw new ConfigurationFailure(error.kind, error.message, { cause: error });
    throw error;
  }
}

/** Not in `buildProgram`: it runs the server here instead of talking to one. */
export function serveCommand(action: (options: CommonOptions) => Promise<void>): Command {
  return common(new Command('serve'))
    .description('the whole server in one process')
    .option('--development', 'data in ./data, ports from 1000 on, 127.0.0.1')
    .option('--hostname <name>', "this host's name, with a dot")
    .action(action);
}

export interface DevOptions {
  /** A file. */
  readonly ldif?: string;
  readonly json?: boolean;
}

/** Nor are these: they start a server of their own. */
export function devCommand(action: (options: DevOptions) => Promise<void>): Command {
  return new Command('dev')
    .description('a whole server on throw-away data and free ports, until it is ended')
    .option('--ldif <file>', 'entries and changes that are loaded at the start')
    .option('--json', 'print JSON; standard input takes `reset`, and its end ends the server')
    .action(action);
}

export function demoCommand(action: (options: CommonOptions) => Promise<void>): Command {
  return new Command('demo')
    .description('what it can do, step by step, on data that are thrown away')
    .option('--json', 'print JSON')
    .action(action);
}

/** Its arguments are its own: those of every sendmail. */
export function sendmailCommand(action: (argv: readonly string[]) => Promise<void>): Command {
  return new Command('sendmail')
    .description('hand in a message, as other sendmails do; a link named sendmail or mailq is it, too')
    .argument('[arguments...]', '-t -i -f -r -F -bs -bp -q -N -R -V -B -G -v, and recipients')
    .allowUnknownOption()
    .helpOption(false)
    .action(action);
}

/** `own` are commands that need no running server; they come first. */
export function buildProgram(context: CommandContext, ...own: readonly Command[]): Command {
  const program = new Command('waypost')
    .description('A mail system whose routing is generated from a directory.')
    .enablePositionalOptions()
    .exitOverride()
    // Options behind a command are that command's: one with verbs may have options of its own.
    .enablePositionalOptions()
    .configureOutput({ writeErr: () => {} })
    .showHelpAfterError(false);
  // What stands behind a verb is the verb's, also where the command before it has an option of that name.
  for (const command of [
    ...own,
    statusCommand(context),
    domainCommand(context),
    userCommand(context),
    groupCommand(context),
    hostCommand(context),
    tokenCommand(context),
    routeCommand(context),
    ruleCommand(context),
    directoryCommand(context),
    syncCommand(context),
    dkimCommand(context),
    dnsCommand(context),
    channelCommand(context),
    queueCommand(context),
    traceCommand(context),
    auditCommand(context),
    mailboxCommand(context),
    certCommand(context),
    completionCommand(context, program),
  ])
    program.addCommand(quiet(command).enablePositionalOptions());
  return program;
}

/** Failures are thrown to `run`, from every depth. */
function quiet(command: Command): Command {
  command.exitOverride().configureOutput({ writeErr: () => {} });
  for (const child of command.commands) quiet(child);
  return command;
}

function complain(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.done;
    const words = error.message.replace(/^error: /, '');
    if (error.code === 'commander.help') process.stderr.write('waypost: a command is missing, see `waypost --help`\n');
    else process.stderr.write(`waypost: ${words}; see \`waypost --help\`\n`);
    return EXIT.usage;
  }
  if (error instanceof NoServer) {
    process.stderr.write(`waypost: ${error.message}\n`);
    return EXIT.unavailable;
  }
  const failure = asFailure(error);
  process.stderr.write(`waypost: ${failure.message}${error instanceof Failure ? '' : `\n${failure.detail}`}\n`);
  return error instanceof ConfigurationFailure ? EXIT.configuration : exitCode(failure.kind);
}
