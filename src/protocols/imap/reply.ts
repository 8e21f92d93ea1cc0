// What a command is answered with at its end. RFC 3501 §7.1

import type { Status } from '../../wire/imap/responses/status.ts';

export interface Reply {
  readonly status: Status;
  readonly text: string;
  /** Without brackets. */
  readonly code: string | undefined;
}

export function ok(text: string, code?: string): Reply {
  return { status: 'OK', text, code };
}

export function no(text: string, code?: string): Reply {
  return { status: 'NO', text, code };
}

export function bad(text: string): Reply {
  return { status: 'BAD', text, code: undefined };
}
