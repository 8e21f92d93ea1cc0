// What we put before a message and what we leave out of it, the same for all ways in that have a client.
//
// In      the header as it was sent; what the trace field says; whether its author sends it, or another host
// Out     the preamble of its intake: Return-Path and Received, at submission Date and Message-ID where they are missing; and the
//         fields that are left out: Return-Path, at submission Bcc and Resent-Bcc too
// Cost    mail of other hosts is looked at where its lines begin, no field is parsed
// RFC 5321 §4.4 (Return-Path is the last host's), RFC 6409 §8, RFC 5322 §3.6.3 (Bcc)

import { HEADER_BYTES } from '../base/limits.ts';
import { findField, type Header, parseHeader } from '../message/header.ts';
import { dateField, messageIdField, type ReceivedTrace, receivedField, returnPathField } from '../message/trace.ts';
import type { Preamble } from '../store/intake.ts';

export interface PreambleWishes {
  /** As formatSender gives it. */
  readonly sender: string;
  readonly trace: ReceivedTrace;
  /** Its author's program has brought it, and not another host. */
  readonly isSubmission: boolean;
}

type Range = readonly [start: number, end: number];

export function preambleOf(head: Buffer, { sender, trace, isSubmission }: PreambleWishes): Preamble {
  const returnPath = returnPathField(sender, trace.isUtf8);
  const fields = receivedField(trace);
  if (!isSubmission) {
    const without = returnPathsIn(head);
    return without === undefined ? { returnPath, fields } : { returnPath, fields, without };
  }
  const header = parseHeader(head);
  return {
    returnPath,
    fields: fields + leftOut(header, trace),
    without: header.fields.filter(({ name }) => NOT_SENT_ON.has(name)).map(({ start, end }): Range => [start, end]),
    isHeaderCut: !header.hasEmptyLine && header.end === head.length,
  };
}

const NOT_SENT_ON: ReadonlySet<string> = new Set(['return-path', 'bcc', 'resent-bcc']);

/** What an author's program left out; a relay adds nothing. RFC 6409 §8 */
function leftOut(header: Header, { at, id, hostname }: ReceivedTrace): string {
  const date = findField(header, 'date') === undefined ? dateField(at) : '';
  return findField(header, 'message-id') === undefined ? date + messageIdField(id, hostname) : date;
}

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const HYPHEN = 0x2d;
const RETURN_PATH = Buffer.from('return-path');

/** Where the header has Return-Path; undefined where it has none, as nearly all mail. */
function returnPathsIn(head: Buffer): Range[] | undefined {
  const limit = Math.min(head.length, HEADER_BYTES);
  let found: Range[] | undefined;
  for (let at = 0; at < limit; ) {
    const first = head[at]!;
    if (first === LF || first === CR) return found;
    let end = nextLine(head, at, limit);
    if ((first | 0x20) === 0x72 && isReturnPath(head, at)) {
      while (end < limit && isBlank(head[end]!)) end = nextLine(head, end, limit);
      (found ??= []).push([at, end]);
    }
    at = end;
  }
  return found;
}

function nextLine(head: Buffer, at: number, limit: number): number {
  const end = head.indexOf(LF, at);
  return end < 0 || end >= limit ? limit : end + 1;
}

function isReturnPath(head: Buffer, start: number): boolean {
  let at = start;
  for (const code of RETURN_PATH) {
    const given = head[at++];
    // The letters in either case.
    if (given !== code && (code === HYPHEN || given !== (code ^ 0x20))) return false;
  }
  while (at < head.length && isBlank(head[at]!)) at++;
  return head[at] === COLON;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
