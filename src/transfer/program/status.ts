// The end of a program's run as an outcome.
//
// In      its exit code, or the signal that has ended it; the first line that it has written
// Out     0 delivered; 64-70, 72, 76-78 of sysexits failed; all else deferred. An enhanced status at the beginning of the line
//         counts in place of ours, with the line; of a code that is not 0 its class decides, too
// RFC 3463

import { type Outcome, outcome } from '../outcome.ts';

/** Codes that say for good: EX_USAGE to EX_SOFTWARE, EX_OSFILE, EX_PROTOCOL, EX_NOPERM, EX_CONFIG. */
const FAILED = new Set([64, 65, 66, 67, 68, 69, 70, 72, 76, 77, 78]);
const STATUSES: Readonly<Record<number, string>> = { 65: '5.6.0', 67: '5.1.1', 77: '5.7.1' };

export type Ended = { readonly code: number } | { readonly signal: string } | { readonly isTooLong: true };

export function programOutcome(name: string, ended: Ended, output: string): Outcome {
  if ('isTooLong' in ended) return outcome('deferred', '4.3.0', `The program ${name} took too long`);
  if ('signal' in ended) return outcome('deferred', '4.3.0', `The program ${name} was ended by ${ended.signal}`);
  const { code } = ended;
  const line = firstLine(output);
  const said = /^([245])(\.\d{1,3}\.\d{1,3})(?= |$)/.exec(line);
  const own =
    said === null ? undefined : { kind: said[1]!, status: said[1]! + said[2]!, words: line.slice(said[0].length) };
  if (code === 0) {
    const taken = own?.kind === '2' ? own : { status: '2.0.0', words: `taken by the program ${name}` };
    return { ...outcome('delivered', taken.status, taken.words), action: 'delivered' };
  }
  const usual = FAILED.has(code) ? '5' : '4';
  if (own !== undefined && own.kind !== '2') return outcome(resultOf(own.kind), own.status, own.words);
  const status = usual === '5' ? (STATUSES[code] ?? '5.3.0') : '4.3.0';
  const words = `The program ${name} ended with ${code}`;
  return outcome(resultOf(usual), status, line === '' ? words : `${words}: ${line}`);
}

function resultOf(kind: string): 'deferred' | 'failed' {
  return kind === '5' ? 'failed' : 'deferred';
}

function firstLine(output: string): string {
  const lines = output.split('\n', 1);
  return (lines[0] ?? '').trim();
}
