// Certificates in the main thread: what all threads serve, and when it changes.
//
// In      the configuration, this host's names; files, looked at each minute and when a look is asked for
// Out     a TLS server for this thread; a standing order for each protocol thread
// States  local certificate made at the start and before it ends; ticket keys changed every TICKET_KEYS_MS
// Errors  those of local-certificate.ts at the start; later each is said once, and what was served stays

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { HOUR_MS } from '../base/duration.ts';
import { asFailure, Failure } from '../base/failure.ts';
import type { Log } from '../base/log.ts';
import type { Reader } from '../database/operation.ts';
import { domainOfServerName, serverNames } from '../directory/server-names.ts';
import type { ServedCertificate } from '../net/certificate-choice.ts';
import { CertificateFolders, type RefusedCertificate } from '../net/certificate-folders.ts';
import { errorCode } from '../net/listen.ts';
import { type TlsMaterial, TlsServer } from '../net/tls.ts';
import type { Configuration } from './configuration.ts';
import type { Counters } from './counters.ts';
import { LOCAL_NAMES_MAX, localCertificate, localNames } from './local-certificate.ts';
import { certificatesPath, tlsPath } from './paths.ts';
import type { ServingThread } from './supervisor.ts';

const LOOK_MS = 60_000;
/** A session is resumed for so long at most, and a key that is stolen opens no more than that. */
const TICKET_KEYS_MS = 12 * HOUR_MS;
const TICKET_KEYS_BYTES = 48;

export interface CertificatesParts {
  readonly configuration: Configuration;
  readonly hostnames: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  readonly reader: Reader;
  readonly counters: Pick<Counters, 'add'>;
}

export class Certificates {
  readonly #parts: CertificatesParts;
  readonly #folders: CertificateFolders;
  #local: ServedCertificate;
  #clientCa: string | undefined;
  /** Of what is beside the folders: the local certificate, the authorities of clients. */
  #otherRefused: readonly RefusedCertificate[] = [];
  /** What has been said of refused ones; each once as long as it lasts. */
  #said = new Set<string>();
  #ticketKeys = randomBytes(TICKET_KEYS_BYTES);
  #threads: readonly ServingThread[] = [];
  #looking: Promise<void> = Promise.resolve();
  /** A look that has not begun. */
  #next: Promise<void> | undefined;
  #isEnded = false;
  readonly #timers: readonly NodeJS.Timeout[];
  /** Of the doors that this thread serves. */
  readonly tls: TlsServer;

  static async open(parts: CertificatesParts): Promise<Certificates> {
    const { certificate } = await lookAtLocal(parts);
    const certificates = new Certificates(parts, certificate);
    await certificates.look();
    return certificates;
  }

  private constructor(parts: CertificatesParts, local: ServedCertificate) {
    this.#parts = parts;
    this.#local = local;
    const { data, tls } = parts.configuration;
    this.#folders = new CertificateFolders([...tls.certificates, certificatesPath(data)]);
    this.tls = new TlsServer({
      hostname: parts.hostnames[0]!,
      isServerName: (name) => domainOfServerName(parts.reader, name) !== undefined,
      renewLocal: () => this.look(),
      failed: (listener) => parts.counters.add('handshake', listener),
    });
    this.tls.serve(this.material);
    this.#timers = [
      setInterval(() => void this.look(), LOOK_MS).unref(),
      setInterval(() => this.#changeTicketKeys(), TICKET_KEYS_MS).unref(),
    ];
  }

  /** From now on these threads and their successors have what is served. */
  serve(threads: readonly ServingThread[]): void {
    this.#threads = threads;
    this.#give();
  }

  get material(): TlsMaterial {
    return {
      hostname: this.#parts.hostnames[0]!,
      certificates: this.#folders.served,
      local: this.#local,
      ticketKeys: this.#ticketKeys,
      clientCa: this.#clientCa,
    };
  }

  get refused(): readonly RefusedCertificate[] {
    return [...this.#otherRefused, ...this.#folders.refused];
  }

  /** Looks at all files; resolves when what they hold has been given to all threads. Never rejects. */
  look(): Promise<void> {
    // One at a time: two that read the same folders could put an older answer over a newer one. All who ask before it begins share it.
    if (this.#next === undefined) {
      this.#next = this.#looking.then(() => {
        this.#next = undefined;
        return this.#look();
      });
      this.#looking = this.#next;
    }
    return this.#next;
  }

  /** For a thread whose clients ask for a name that the local certificate has not got yet. */
  async renewFor(thread: ServingThread, request: number): Promise<void> {
    await this.look();
    thread.post({ kind: 'renewed', request });
  }

  /** A look under way is not waited for: what it finds is for nobody. */
  end(): void {
    this.#isEnded = true;
    for (const timer of this.#timers) clearInterval(timer);
  }

  async #look(): Promise<void> {
    if (this.#isEnded) return;
    const { log } = this.#parts;
    const refused: RefusedCertificate[] = [];
    let changed = await this.#folders.look(this.#parts.clock.now());
    const steps: readonly [source: string, step: () => Promise<boolean>][] = [
      [tlsPath(this.#parts.configuration.data), () => this.#lookAtLocal()],
      [this.#parts.configuration.tls.clientCa ?? '', () => this.#lookAtClientCa()],
    ];
    for (const [source, step] of steps) {
      try {
        changed = (await step()) || changed;
      } catch (error) {
        refused.push({ source, reason: asFailure(error).message });
      }
    }
    if (this.#isEnded) return;
    this.#otherRefused = refused;
    const lasting = new Set<string>();
    for (const { source, reason } of this.refused) {
      const words = `${source}: ${reason}`;
      if (!this.#said.has(words)) log.warn('tls.refuse', { source, reason });
      lasting.add(words);
    }
    this.#said = lasting;
    if (!changed) return;
    this.#give();
    for (const { source, names, notAfter } of this.#folders.served)
      log.info('tls.serve', { source, names, until: new Date(notAfter).toISOString() });
  }

  async #lookAtLocal(): Promise<boolean> {
    const { certificate, made } = await lookAtLocal(this.#parts);
    if (made) this.#local = certificate;
    return made;
  }

  async #lookAtClientCa(): Promise<boolean> {
    const path = this.#parts.configuration.tls.clientCa;
    if (path === undefined) return false;
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      throw new Failure('invalid', `cannot be read (${errorCode(error)})`);
    });
    if (text === this.#clientCa) return false;
    if (!text.includes('-----BEGIN CERTIFICATE-----')) throw new Failure('invalid', 'holds no certificate in PEM');
    try {
      createSecureContext({ ca: text });
    } catch (error) {
      throw new Failure('invalid', error instanceof Error ? error.message : String(error));
    }
    this.#clientCa = text;
    return true;
  }

  #changeTicketKeys(): void {
    this.#ticketKeys = randomBytes(TICKET_KEYS_BYTES);
    this.#give();
  }

  #give(): void {
    const { material } = this;
    this.tls.serve(material);
    for (const thread of this.#threads) thread.stand({ kind: 'tls', material });
  }
}

async function lookAtLocal(parts: CertificatesParts): ReturnType<typeof localCertificate> {
  const { configuration, clock, log } = parts;
  const found = await localCertificate(configuration.data, namesOf(parts), clock.now());
  if (found.isOtherAuthority)
    log.warn('tls.authority', {
      detail:
        'tls/ca.pem and its key were no pair that can be used, or end soon: another authority was made. ' +
        'Clients that trust the former one get the new tls/ca.pem, or the files are put back',
    });
  return found;
}

function namesOf({ hostnames, reader }: CertificatesParts): readonly string[] {
  return localNames(hostnames, serverNames(reader, LOCAL_NAMES_MAX));
}
