// What every command of the command line is made with: its options, and what it may use.

import type { Command } from 'commander';
import type { AdminClient } from './client.ts';
import type { Printer } from './output.ts';

/** Options of every command. */
export interface CommonOptions {
  readonly data?: string;
  readonly config?: string;
  readonly hostname?: string;
  readonly development?: boolean;
  readonly json?: boolean;
}

/** Of a command that changes something. */
export interface DryRunOptions extends CommonOptions {
  /** Say what would happen, and change nothing. */
  readonly dryRun?: boolean;
}

/** What a command may use. */
export interface CommandContext {
  /** The server of the data directory that these options name. */
  client(options: CommonOptions): AdminClient;
  printer(options: CommonOptions): Printer;
  /** The command that edits a file, without the file. */
  readonly editor: string;
  /** The exit code when it is not 0. */
  exit(code: number): void;
}

export function common(command: Command): Command {
  return command
    .option('--data <directory>', 'the data directory of the server')
    .option('--config <file>', 'its configuration file');
}
