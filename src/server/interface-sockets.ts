// UDP sockets for a wildcard: one an address of this machine's interfaces, so that each answer leaves from the address that
// was asked. A socket bound to the wildcard itself does not say which address a datagram was sent to.
//
// In      an address or a wildcard to bind; the interfaces, looked at again every LOOK_MS
// Out     one number for all sockets of a wildcard
// States  of an address: found -> bound; gone from the interfaces -> unbound; one that cannot be bound is tried at the next look
// An address of 127.0.0.0/8 that no interface lists is not served.
// RFC 2181 §4.1

import { Failure } from '../base/failure.ts';
import type { Log } from '../base/log.ts';
import { formatEndpoint } from '../net/listen.ts';
import type { UdpBinder } from '../net/listen-dns.ts';
import { addressesFor, isWildcard } from './interfaces.ts';

const LOOK_MS = 30_000;
/** A free number that another socket of the wildcard cannot have: another is taken so often. */
const NUMBERS_MAX = 20;

interface Group {
  readonly ipv6Only: boolean;
  readonly port: number;
  readonly bound: Set<string>;
  /** A look is under way. */
  isLooking: boolean;
}

export class InterfaceSockets implements UdpBinder {
  readonly #sockets: UdpBinder;
  readonly #log: Log;
  /** By wildcard. */
  readonly #groups = new Map<string, Group>();
  #timer: NodeJS.Timeout | undefined;

  constructor(sockets: UdpBinder, log: Log) {
    this.#sockets = sockets;
    this.#log = log;
  }

  async bind(address: string, port: number, ipv6Only: boolean): Promise<number> {
    if (!isWildcard(address)) return this.#sockets.bind(address, port, ipv6Only);
    const group = await this.#bindAll(address, port, ipv6Only);
    this.#groups.set(address, group);
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
    return group.port;
  }

  unbind(address: string): void {
    const group = this.#groups.get(address);
    if (group === undefined) {
      this.#sockets.unbind(address);
      return;
    }
    this.#groups.delete(address);
    for (const each of group.bound) this.#sockets.unbind(each);
    if (this.#groups.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #bindAll(wildcard: string, asked: number, ipv6Only: boolean): Promise<Group> {
    for (let tries = 1; ; tries++) {
      const addresses = addressesFor(wildcard, ipv6Only);
      const [first, ...others] = addresses;
      if (first === undefined)
        throw new Failure('unavailable', `no interface of this machine has an address that ${wildcard} stands for`);
      const port = await this.#sockets.bind(first, asked, true);
      const bound = new Set([first]);
      try {
        for (const address of others) {
          await this.#sockets.bind(address, port, true);
          bound.add(address);
        }
        return { ipv6Only, port, bound, isLooking: false };
      } catch (error) {
        for (const address of bound) this.#sockets.unbind(address);
        if (asked !== 0 || tries === NUMBERS_MAX) throw error;
      }
    }
  }

  #look(): void {
    for (const [wildcard, group] of this.#groups) {
      if (group.isLooking) continue;
      group.isLooking = true;
      void this.#follow(wildcard, group).finally(() => {
        group.isLooking = false;
      });
    }
  }

  async #follow(wildcard: string, { ipv6Only, port, bound }: Group): Promise<void> {
    const now = new Set(addressesFor(wildcard, ipv6Only));
    for (const address of bound) {
      if (now.has(address)) continue;
      this.#sockets.unbind(address);
      bound.delete(address);
    }
    for (const address of now) {
      if (bound.has(address)) continue;
      try {
        await this.#sockets.bind(address, port, true);
        // Closed meanwhile.
        if (!this.#groups.has(wildcard)) this.#sockets.unbind(address);
        else bound.add(address);
      } catch (error) {
        const endpoint = formatEndpoint(address, port);
        this.#log.warn('dns.unbound', { endpoint, error: error instanceof Error ? error.message : String(error) });
      }
    }
  }
}
