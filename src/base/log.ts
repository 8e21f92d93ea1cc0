// The log: JSON lines on standard error, one event a line, named unit.verb with fixed keys.
//
// Drops rather than blocks: when standard error does not take it, lines are lost, mail is not.

import sonicBoom, { type SonicBoom } from 'sonic-boom';

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

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const satisfies readonly LogLevel[];

export function createLog(level: LogLevel, thread: string): Log {
  const destination = new sonicBoom.SonicBoom({ fd: 2, sync: false, maxLength: PENDING_BYTES });
  let isOpen = true;
  // A closed or full standard error must not end the server.
  destination.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') isOpen = false;
  });
  process.on('exit', () => flush(destination, isOpen));
  const lineOf = (of: LogLevel) => {
    if (LEVELS.indexOf(of) < LEVELS.indexOf(level)) return () => {};
    return (event: string, fields?: LogFields) => {
      if (isOpen) destination.write(logLine(of, thread, event, fields));
    };
  };
  return { debug: lineOf('debug'), info: lineOf('info'), warn: lineOf('warn'), error: lineOf('error') };
}

function logLine(level: LogLevel, thread: string, event: string, fields: LogFields | undefined): string {
  return `${JSON.stringify({ level, at: new Date(), thread, ...fields, event })}\n`;
}

function flush(destination: SonicBoom, isOpen: boolean): void {
  try {
    if (isOpen) destination.flushSync();
  } catch {
    // Nobody reads it any more.
  }
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
