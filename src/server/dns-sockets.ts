// The UDP sockets of the DNS thread, as the main thread sees them: bound by its orders, there or missing.
//
// In      what the DNS thread reports; its end
// Out     the number that each socket got; which sockets are missing
// States  of an address: asked for -> bound -> missing (its thread has died, or the socket has failed) -> bound
// An order to bind stands from the beginning, and with the number that the socket got as soon as that is known: a successor
// of the thread binds the same one. Where it cannot, or a socket fails, the order is given again every RETRY_MS.

import type { Failure } from '../base/failure.ts';
import type { Log } from '../base/log.ts';
import { formatEndpoint, listenFailure } from '../net/listen.ts';
import type { UdpBinder } from '../net/listen-dns.ts';
import type { ServingThread, Supervisor } from './supervisor.ts';
import type { DnsOrder, DnsReport } from './threads/dns.ts';

const RETRY_MS = 1000;

type BindOrder = Extract<DnsOrder, { kind: 'bind' }>;

interface Asked {
  readonly order: BindOrder;
  readonly resolve: (port: number) => void;
  readonly reject: (failure: Failure) => void;
}

interface Standing {
  readonly order: BindOrder;
  isBound: boolean;
}

export class DnsSockets implements UdpBinder {
  readonly #thread: ServingThread;
  readonly #log: Log;
  /** By address: orders that have no answer yet. */
  readonly #asked = new Map<string, Asked>();
  /** By address. */
  readonly #standing = new Map<string, Standing>();

  constructor(supervisor: Pick<Supervisor, 'onReport' | 'onExit'>, thread: ServingThread, log: Log) {
    this.#thread = thread;
    this.#log = log;
    supervisor.onReport((from, report) => {
      if (from === thread) this.#reported(report as DnsReport);
    });
    supervisor.onExit((from) => {
      if (from === thread) this.#ended();
    });
  }

  bind(address: string, port: number, ipv6Only: boolean): Promise<number> {
    const order = { kind: 'bind', address, port, ipv6Only } as const;
    return new Promise((resolve, reject) => {
      this.#asked.set(address, { order, resolve, reject });
      this.#thread.keep(order, keyOf(address));
      this.#thread.post(order);
    });
  }

  unbind(address: string): void {
    this.#standing.delete(address);
    this.#thread.withdraw(keyOf(address));
    this.#thread.post({ kind: 'unbind', address } satisfies DnsOrder);
  }

  /** Endpoints that should be served and are not. */
  missing(): readonly string[] {
    return [...this.#standing.values()]
      .filter(({ isBound }) => !isBound)
      .map(({ order }) => formatEndpoint(order.address, order.port));
  }

  #reported(report: DnsReport): void {
    if (report.kind === 'bound') this.#bound(report.address, report.port);
    else if (report.kind === 'not-bound') this.#notBound(report.address, report.code);
  }

  #bound(address: string, port: number): void {
    const asked = this.#asked.get(address);
    this.#asked.delete(address);
    if (asked !== undefined) {
      const order = { ...asked.order, port };
      this.#standing.set(address, { order, isBound: true });
      this.#thread.keep(order, keyOf(address));
      asked.resolve(port);
      return;
    }
    const standing = this.#standing.get(address);
    if (standing !== undefined) standing.isBound = true;
  }

  #notBound(address: string, code: string): void {
    const asked = this.#asked.get(address);
    this.#asked.delete(address);
    if (asked !== undefined) {
      this.#thread.withdraw(keyOf(address));
      asked.reject(listenFailure(code, 'dns', formatEndpoint(address, asked.order.port)));
    }
    const standing = this.#standing.get(address);
    if (standing === undefined) return;
    standing.isBound = false;
    this.#log.error('dns.unbound', { endpoint: formatEndpoint(address, standing.order.port), error: code });
    setTimeout(() => {
      if (this.#standing.get(address) === standing && !standing.isBound) this.#thread.post(standing.order);
    }, RETRY_MS).unref();
  }

  #ended(): void {
    for (const standing of this.#standing.values()) standing.isBound = false;
  }
}

function keyOf(address: string): string {
  return `bind ${address}`;
}
