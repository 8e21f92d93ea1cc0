// TLS at our doors: the server's end of a handshake over a connection, from its first byte or in its middle (STARTTLS).
//
// In      a transport whose next byte is the client's handshake; certificates and keys, given again whenever they change
// Out     the encrypted transport; its TlsState is asked for with tlsOf()
// Errors  upgrade() rejects, and the transport is closed: no handshake, no common version or cipher, an ALPN list without the
//         door's protocol, HANDSHAKE_MS
// Limits  TLS 1.2 and 1.3; in 1.2 only ephemeral keys and authenticated ciphers; no renegotiation; CONTEXTS_MAX contexts
// Never   asks for a client certificate on port 25: other hosts' servers connect there
// RFC 8446, RFC 5246, RFC 7301 (ALPN), RFC 8996, RFC 9325

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import tls, { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { systemClock } from '../base/clock.ts';
import { CertificateChoice, type ServedCertificate } from './certificate-choice.ts';
import { readServerName } from './client-hello.ts';
import type { ConnectionRecord } from './connection.ts';
import { keepTlsState } from './tls-state.ts';

const HANDSHAKE_MS = 10_000;
/** Made when a name is first asked for; a site with more certificates than this makes some anew. */
const CONTEXTS_MAX = 1000;

/** All that a thread needs to serve TLS; survives a structured clone. */
export interface TlsMaterial {
  readonly hostname: string;
  readonly certificates: readonly ServedCertificate[];
  readonly local: ServedCertificate;
  /** 48 bytes, the same in all threads: a session is resumed in whichever thread its next connection lands. */
  readonly ticketKeys: Uint8Array;
  /** PEM; undefined: client certificates are not asked for. */
  readonly clientCa: string | undefined;
}

interface UpgradeOptions {
  readonly listener: string;
  /** TLS from the first byte. */
  readonly isImplicit: boolean;
}

export interface TlsServerOptions {
  readonly hostname: string;
  /** A name that a domain entry gives to a virtual mail server. */
  readonly isServerName: (name: string) => boolean;
  /** Has the local certificate made anew, because a virtual server is newer than it; resolves after serve(). */
  readonly renewLocal?: () => Promise<void>;
  /** A handshake at this door has failed. */
  readonly failed?: (listener: string) => void;
  readonly handshakeMs?: number;
}

/** A client that offers protocols must offer this one. Where none is registered the list is ignored. */
const PROTOCOL_OF: Readonly<Record<string, string>> = {
  imap: 'imap',
  imaps: 'imap',
  pop3: 'pop3',
  pop3s: 'pop3',
  https: 'http/1.1',
};

const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

// Renegotiation (TLS 1.2) ends the connection: the first one is more often than this.
Object.assign(tls, { CLIENT_RENEG_LIMIT: 0 });

export class TlsServer {
  readonly #options: TlsServerOptions;
  #material: TlsMaterial | undefined;
  #choice: CertificateChoice | undefined;
  /** By the folders of its certificates. */
  #contexts = new Map<string, SecureContext>();
  /** Names that the local certificate has not got by being made anew. */
  readonly #without = new Set<string>();

  constructor(options: TlsServerOptions) {
    this.#options = options;
  }

  /** From now on handshakes use these; connections that are open stay as they are. */
  serve(material: TlsMaterial): void {
    this.#material = material;
    this.#choice = new CertificateChoice(material.certificates, material.local, material.hostname);
    this.#contexts = new Map();
    this.#without.clear();
  }

  /** Resolves after the handshake. The transport given must not have been read from beyond the last plain byte. */
  async upgrade(raw: Duplex, options: UpgradeOptions): Promise<Duplex> {
    // Whatever the error, `close` follows.
    raw.on('error', () => {});
    const late = setTimeout(() => raw.destroy(), this.#options.handshakeMs ?? HANDSHAKE_MS);
    try {
      const name = await readServerName(raw);
      if (name !== undefined) await this.#renewFor(name);
      return await this.#handshake(raw, this.#context(name), options);
    } catch (error) {
      raw.destroy();
      this.#options.failed?.(options.listener);
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  #handshake(raw: Duplex, secureContext: SecureContext, { listener, isImplicit }: UpgradeOptions): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      if (raw.destroyed) throw new Error('closed before the handshake');
      const protocol = PROTOCOL_OF[listener];
      const secure = new TLSSocket(raw as Socket, {
        isServer: true,
        secureContext,
        ...(protocol === undefined ? {} : { ALPNProtocols: [protocol] }),
        requestCert: this.#material?.clientCa !== undefined && listener !== 'smtp',
        rejectUnauthorized: false,
      });
      secure.on('error', reject);
      // An error after the handshake, such as a record that is none: Node closes only sockets of its own tls.Server for it.
      secure.on('_tlsError', (error: Error) => secure.destroy(error));
      secure.once('close', () => reject(new Error('closed in the handshake')));
      secure.once('close', () => raw.destroy());
      secure.once('secure', () => {
        keepTlsState(secure, isImplicit);
        resolve(secure);
      });
    });
  }

  /** What greeting and EHLO call this server: the virtual one that the client asked for, else this host. */
  nameFor(record: ConnectionRecord): string {
    const asked = record.tls?.serverName ?? record.proxiedServerName;
    return asked !== undefined && this.#options.isServerName(asked) ? asked : this.#options.hostname;
  }

  /** The directory is ahead of the local certificate for a moment: the first connection to a new name waits for it. */
  async #renewFor(name: string): Promise<void> {
    const { isServerName, renewLocal } = this.#options;
    if (renewLocal === undefined || !this.#isMissing(name) || !isServerName(name)) return;
    await renewLocal();
    if (this.#isMissing(name)) this.#without.add(name);
  }

  #isMissing(name: string): boolean {
    const { local } = this.#material!;
    const [best] = this.#choice!.choose(name, systemClock.now());
    return best === local && !local.names.includes(name) && !this.#without.has(name);
  }

  #context(serverName: string | undefined): SecureContext {
    const chosen = this.#choice!.choose(serverName, systemClock.now());
    const key = chosen.map(({ source }) => source).join('\n');
    let context = this.#contexts.get(key);
    if (context === undefined) {
      if (this.#contexts.size >= CONTEXTS_MAX) this.#contexts.clear();
      context = this.#createContext(chosen);
      this.#contexts.set(key, context);
    }
    return context;
  }

  #createContext(certificates: readonly ServedCertificate[]): SecureContext {
    const { ticketKeys, clientCa } = this.#material!;
    return createSecureContext({
      cert: certificates.map(({ chain }) => chain),
      key: certificates.map(({ key }) => key),
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.3',
      ciphers: CIPHERS,
      ticketKeys: Buffer.from(ticketKeys),
      // Without it a session with a client certificate cannot be resumed.
      sessionIdContext: 'waypost',
      ...(clientCa === undefined ? {} : { ca: clientCa }),
    });
  }
}
