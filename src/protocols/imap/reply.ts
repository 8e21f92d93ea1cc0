// What a command is answered with at its end. RFC 3501 §7.1

import type { ResponseStatus } from '../../wire/imap/responses/status.ts';

export interface TaggedResponse {
  readonly status: ResponseStatus;
  readonly text: string;
  /** Without brackets. */
  readonly code: string | undefined;
  /** What happens behind it: the handshake of STARTTLS, compression or its end, or the end of the session. */
  readonly next?: 'tls' | 'deflate' | 'plain' | 'end';
}

export function ok(text: string, code?: string): TaggedResponse {
  return { status: 'OK', text, code };
}

export function no(text: string, code?: string): TaggedResponse {
  return { status: 'NO', text, code };
}

export function bad(text: string): TaggedResponse {
  return { status: 'BAD', text, code: undefined };
}
