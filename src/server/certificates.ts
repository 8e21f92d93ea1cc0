// Certificates in the main thread: what all threads serve, and when it changes.
//
// In      the configuration, this host's names
// Out     a TLS server for this thread; a standing order for each protocol thread
// States  local certificate made at the start; ticket keys changed every TICKET_KEYS_MS
// Errors  those of local-certificate.ts at the start; later a warning, and what was there stays

import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { ServedCertificate } from '../net/certificate-choice.ts';
import { type TlsMaterial, TlsServer } from '../net/tls.ts';
import type { Configuration } from './configuration.ts';
import { localCertificate, localNames } from './local-certificate.ts';
import type { ServingThread } from './supervisor.ts';

/** A session is resumed for so long at most, and a key that is stolen opens no more than that. */
const TICKET_KEYS_MS = 12 * 3_600_000;
const TICKET_KEYS_BYTES = 48;

export interface CertificatesParts {
  readonly configuration: Configuration;
  readonly hostnames: readonly string[];
  readonly clock: Clock;
}

export class Certificates {
  readonly #hostname: string;
  #local: ServedCertificate;
  #ticketKeys = randomBytes(TICKET_KEYS_BYTES);
  #threads: readonly ServingThread[] = [];
  readonly #timer: NodeJS.Timeout;
  /** Of the doors that this thread serves. */
  readonly tls: TlsServer;

  static async open({ configuration, hostnames, clock }: CertificatesParts): Promise<Certificates> {
    const { certificate } = await localCertificate(configuration.data, localNames(hostnames, []), clock.now());
    return new Certificates(hostnames[0]!, certificate);
  }

  private constructor(hostname: string, local: ServedCertificate) {
    this.#hostname = hostname;
    this.#local = local;
    this.tls = new TlsServer({ hostname, isServerName: () => false });
    this.tls.serve(this.#material());
    this.#timer = setInterval(() => this.#changeTicketKeys(), TICKET_KEYS_MS).unref();
  }

  /** From now on these threads and their successors have what is served. */
  serve(threads: readonly ServingThread[]): void {
    this.#threads = threads;
    this.#give();
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #changeTicketKeys(): void {
    this.#ticketKeys = randomBytes(TICKET_KEYS_BYTES);
    this.#give();
  }

  #material(): TlsMaterial {
    return {
      hostname: this.#hostname,
      certificates: [],
      local: this.#local,
      ticketKeys: this.#ticketKeys,
      clientCa: undefined,
    };
  }

  #give(): void {
    const material = this.#material();
    this.tls.serve(material);
    for (const thread of this.#threads) thread.stand({ kind: 'tls', material });
  }
}
