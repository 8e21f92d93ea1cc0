// A change sequence number: when a revision was made, and the revision, in the form that OpenLDAP's feeds have.
//
//   20261126095000.123000Z#000001#000#000005     the log's time, the revision's high 24 bits, no server, its low 24 bits
//
// Texts are in the order of the revisions, since the log's time never goes back.

import { idOf, type Revision } from '../base/ids.ts';

const CSN = /^\d{14}\.\d{6}Z#[0-9a-f]{6}#[0-9a-f]{3}#[0-9a-f]{6}$/;
const OURS = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.(\d{3})000Z#([0-9a-f]{6})#000#([0-9a-f]{6})$/;
const LOW = 2 ** 24;

/** `at` in epoch milliseconds. */
export function formatCsn(revision: number, at: number): string {
  const iso = new Date(at).toISOString();
  const date = `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 10)}`;
  const time = `${iso.slice(11, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}.${iso.slice(20, 23)}000Z`;
  return `${date}${time}#${hex(Math.floor(revision / LOW))}#000#${hex(revision % LOW)}`;
}

/** Undefined for one that is not this server's. */
export function parseCsn(text: string): { readonly revision: Revision; readonly at: number } | undefined {
  const parts = OURS.exec(text);
  if (parts === null) return undefined;
  const [year, month, day, hours, minutes, seconds, ms] = parts.slice(1, 8).map(Number) as [number, ...number[]];
  const at = Date.UTC(year, month! - 1, day, hours, minutes, seconds, ms);
  const [high, low] = parts.slice(8).map((part) => Number.parseInt(part, 16));
  return { revision: idOf(high! * LOW + low!), at };
}

export function isCsn(text: string): boolean {
  return CSN.test(text);
}

function hex(number: number): string {
  return number.toString(16).padStart(6, '0');
}
