// Searches of one connection that wait for the client to ask for their next page.
//
// In      a search that is not done; later its cookie
// Out     a cookie; the search again, once
// Limits  PAGES_MAX wait, the oldest goes. All go with another bind
// Never   knows a cookie of another connection, nor takes one for another search or another caller
// RFC 2696 §3

import { randomBytes } from 'node:crypto';
import type { SearchRun } from './search-run.ts';

const PAGES_MAX = 10;
const COOKIE_BYTES = 16;

interface Waiting {
  readonly run: SearchRun;
  /** What was asked, and by whom: the next request must ask the same. */
  readonly request: string;
}

export class Pages {
  readonly #waiting = new Map<string, Waiting>();

  keep(run: SearchRun, request: string): Uint8Array {
    const cookie = randomBytes(COOKIE_BYTES);
    if (this.#waiting.size >= PAGES_MAX) this.#waiting.delete(this.#waiting.keys().next().value!);
    this.#waiting.set(cookie.toString('hex'), { run, request });
    return cookie;
  }

  /** Undefined for a cookie that is none here. */
  take(cookie: Uint8Array, request: string): SearchRun | undefined {
    const key = Buffer.from(cookie).toString('hex');
    const found = this.#waiting.get(key);
    if (found === undefined || found.request !== request) return undefined;
    this.#waiting.delete(key);
    return found.run;
  }

  clear(): void {
    this.#waiting.clear();
  }
}
