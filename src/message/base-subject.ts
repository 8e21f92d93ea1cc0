// The base subject: what is left of a subject without the marks of replies, forwards and lists.
//
// In      a Subject value, latin1, encoded words in it
// Out     folded text (i;unicode-casemap), as it is compared; whether a mark of a reply or forward was taken away
// Limits  SUBJECT_CHARACTERS of the folded subject are looked at
// As Dovecot, the subject is folded before it is taken apart
// RFC 5256 §2.1, §5

import { decodeWords } from './decode.ts';
import { fold } from './unicode-casemap.ts';

export interface BaseSubject {
  readonly base: string;
  readonly isReply: boolean;
}

const SUBJECT_CHARACTERS = 2048;

export function baseSubject(value: string): BaseSubject {
  // (1)
  let text = singleSpaced(fold(decodeWords(value)).slice(0, SUBJECT_CHARACTERS));
  let isReply = false;
  for (;;) {
    // (2)
    const end = endWithoutTrailers(text);
    isReply ||= end.isForward;
    // (3) (4) (5)
    let at = 0;
    for (;;) {
      const leader = endOfLeader(text, at, end.at);
      if (leader > at) {
        // A leader is white space, or a mark.
        isReply ||= text.charCodeAt(leader - 1) === COLON;
        at = leader;
        continue;
      }
      const blob = endOfBlob(text, at, end.at);
      if (blob === at || blob >= end.at) break;
      at = blob;
    }
    text = text.slice(at, end.at);
    // (6)
    if (!text.startsWith('[FWD:') || !text.endsWith(']')) return { base: text, isReply };
    isReply = true;
    text = text.slice(5, -1);
  }
}

const SPACE = 0x20;
const COLON = 0x3a;

/** One space for tabs, line breaks and several spaces. */
function singleSpaced(text: string): string {
  let spaced = '';
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    if (!isBlank(text.charCodeAt(at))) continue;
    spaced += `${text.slice(start, at)} `;
    while (at + 1 < text.length && isBlank(text.charCodeAt(at + 1))) at++;
    start = at + 1;
  }
  return spaced + text.slice(start);
}

function isBlank(code: number): boolean {
  return code === SPACE || code === 0x09 || code === 0x0d || code === 0x0a;
}

/** subj-trailer: `(fwd)` and white space at the end. */
function endWithoutTrailers(text: string): { at: number; isForward: boolean } {
  let at = text.length;
  let isForward = false;
  for (;;) {
    if (at > 0 && text.charCodeAt(at - 1) === SPACE) at--;
    else if (text.endsWith('(FWD)', at)) {
      at -= 5;
      isForward = true;
    } else return { at, isForward };
  }
}

/** subj-leader: white space, or `re:`, `fw:`, `fwd:` behind any blobs. Gives `at` when there is none. */
function endOfLeader(text: string, at: number, end: number): number {
  if (at < end && text.charCodeAt(at) === SPACE) return at + 1;
  let from = at;
  for (let next = endOfBlob(text, from, end); next > from; next = endOfBlob(text, from, end)) from = next;
  const mark = ['RE', 'FWD', 'FW'].find((one) => text.startsWith(one, from));
  if (mark === undefined) return at;
  from += mark.length;
  while (from < end && text.charCodeAt(from) === SPACE) from++;
  from = endOfBlob(text, from, end);
  return from < end && text.charCodeAt(from) === COLON ? from + 1 : at;
}

/** subj-blob: `[anything]` and white space. Gives `at` when there is none. */
function endOfBlob(text: string, at: number, end: number): number {
  if (at >= end || text[at] !== '[') return at;
  let close = at + 1;
  while (close < end && text[close] !== ']') {
    if (text[close] === '[') return at;
    close++;
  }
  if (close >= end) return at;
  close++;
  while (close < end && text.charCodeAt(close) === SPACE) close++;
  return close;
}
