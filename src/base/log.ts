// The log: JSON lines on standard error, one event a line, named unit.verb with fixed keys.
//
// Drops rather than blocks: when standard error does not take it, lines are lost, mail is not.

import pino from 'pino';

/** Keys that mean the same in every event. Ids are given as numbers and printed by idText where people read them. */
export interface LogFields {
  readonly message?: string;
  readonly queue?: string;
  readonly account?: number;
  readonly revision?: number;
  readonly peer?: string;
  /** Stands in every line already: the thread that writes it. */
  readonly thread?: never;
  readonly [key: string]: unknown;
}

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Lines that wait for a standard error that does not take them. */
const PENDING_BYTES = 1024 * 1024;

export function createLog(level: LogLevel, thread: string): Log {
  const destination = pino.destination({ dest: 2, sync: false, maxLength: PENDING_BYTES });
  // A closed or full standard error must not end the server.
  destination.on('error', () => {});
  const lines = pino(
    {
      level,
      base: { thread },
      messageKey: 'event',
      timestamp: () => `,"at":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return {
    debug: (event, fields) => lines.debug(fields ?? {}, event),
    info: (event, fields) => lines.info(fields ?? {}, event),
    warn: (event, fields) => lines.warn(fields ?? {}, event),
    error: (event, fields) => lines.error(fields ?? {}, event),
  };
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
