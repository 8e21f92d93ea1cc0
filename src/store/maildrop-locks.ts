// One POP3 session a maildrop, whatever thread it runs in. RFC 1939 §4
//
// In      requests of threads that serve POP3, by messages; the end of a thread
// Out     granted or not; for a release, that it is done, so that a session that begins afterwards gets the maildrop
// Never   outlives the process: there is no row that could be stale; keeps IMAP or a delivery out

import type { AccountId } from '../base/ids.ts';

/** From a protocol thread. */
export interface MaildropRequest {
  readonly kind: 'lock-maildrop' | 'release-maildrop';
  readonly request: number;
  readonly account: AccountId;
  /** Of that thread. */
  readonly connection: number;
}

/** To it, in the order of the requests. */
export interface MaildropAnswer {
  readonly kind: 'maildrop';
  readonly request: number;
  readonly granted: boolean;
}

interface Holder {
  readonly thread: number;
  readonly connection: number;
}

/** In the main thread: who has which account's maildrop. */
export class MaildropLocks {
  readonly #holders = new Map<AccountId, Holder>();

  /** False while another connection holds it. */
  lock(account: AccountId, holder: Holder): boolean {
    if (this.#holders.has(account)) return false;
    this.#holders.set(account, holder);
    return true;
  }

  /** Does nothing for one who does not hold it. */
  release(account: AccountId, { thread, connection }: Holder): void {
    const holder = this.#holders.get(account);
    if (holder?.thread === thread && holder.connection === connection) this.#holders.delete(account);
  }

  /** What to say to a request of this thread. */
  answer(thread: number, { kind, request, account, connection }: MaildropRequest): MaildropAnswer {
    const holder = { thread, connection };
    const granted = kind === 'lock-maildrop' && this.lock(account, holder);
    if (kind === 'release-maildrop') this.release(account, holder);
    return { kind: 'maildrop', request, granted };
  }

  forgetThread(thread: number): void {
    for (const [account, holder] of this.#holders) if (holder.thread === thread) this.#holders.delete(account);
  }
}

/** In a protocol thread: asks, and waits for the answer. */
export class MaildropClient {
  readonly #ask: (request: MaildropRequest) => void;
  readonly #waiting = new Map<number, (granted: boolean) => void>();
  #requests = 0;

  constructor(ask: (request: MaildropRequest) => void) {
    this.#ask = ask;
  }

  /** Gives the way to let it go again; undefined while another session has it. */
  async lock(account: AccountId, connection: number): Promise<(() => Promise<void>) | undefined> {
    if (!(await this.#request('lock-maildrop', account, connection))) return undefined;
    return async () => {
      await this.#request('release-maildrop', account, connection);
    };
  }

  #request(kind: MaildropRequest['kind'], account: AccountId, connection: number): Promise<boolean> {
    const request = ++this.#requests;
    this.#ask({ kind, request, account, connection });
    return new Promise((resolve) => this.#waiting.set(request, resolve));
  }

  answered({ request, granted }: MaildropAnswer): void {
    this.#waiting.get(request)?.(granted);
    this.#waiting.delete(request);
  }
}
