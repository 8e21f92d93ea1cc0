// What was agreed in a TLS handshake at one of our doors, kept beside the transport until the connection asks for it.
//
// In      the server's end of a handshake that has succeeded
// Out     protocol, cipher, the name that the client asked for, its address by certificate, channel bindings
// Never   takes a certificate's address unless its chain was verified
// RFC 5929 §4 (tls-server-end-point), RFC 9266 (tls-exporter), RFC 6066 §3 (SNI)

import { createHash, type X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { serverNameOf } from './client-hello.ts';

export type ChannelBinding = 'tls-exporter' | 'tls-server-end-point';

export interface TlsState {
  /** `TLSv1.3` */
  readonly protocol: string;
  /** OpenSSL's name of the cipher suite. */
  readonly cipher: string;
  /** TLS from the first byte, not by STARTTLS. */
  readonly isImplicit: boolean;
  /** SNI in lower case. Undefined: none was sent, or a TLS 1.2 session was resumed, which does not say it again. */
  readonly serverName: string | undefined;
  /** The one rfc822Name of a client certificate that `client-ca` vouches for. */
  readonly clientAddress: string | undefined;
  /** Whether there is a channel binding of some type. */
  readonly canBind: boolean;
  /** Undefined where there is none of this type: the exporter is bound to the connection in TLS 1.3 only. */
  channelBinding(type: ChannelBinding): Buffer | undefined;
}

const states = new WeakMap<Duplex, TlsState>();

/** Undefined for a transport without TLS, or one whose TLS is not ours. */
export function tlsOf(transport: Duplex): TlsState | undefined {
  return states.get(transport);
}

/** Called once, when the handshake has succeeded. */
export function keepTlsState(socket: TLSSocket, isImplicit: boolean): void {
  const protocol = socket.getProtocol() ?? '';
  const name = (socket as { servername?: string | false | null }).servername;
  states.set(socket, {
    protocol,
    cipher: socket.getCipher().name,
    isImplicit,
    serverName: typeof name === 'string' ? serverNameOf(name) : undefined,
    clientAddress: isVouchedFor(socket) ? addressOf(socket.getPeerX509Certificate()) : undefined,
    // Each greeting asks: the exporter, which TLS 1.3 always has, is not worked out for that.
    get canBind() {
      return protocol === 'TLSv1.3' || endPointOf(socket) !== undefined;
    },
    channelBinding: (type) => (type === 'tls-exporter' ? exporterOf(socket, protocol) : endPointOf(socket)),
  });
}

function exporterOf(socket: TLSSocket, protocol: string): Buffer | undefined {
  if (protocol !== 'TLSv1.3' || socket.destroyed) return undefined;
  return socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
}

function endPointOf(socket: TLSSocket): Buffer | undefined {
  const certificate = socket.destroyed ? undefined : socket.getX509Certificate();
  const hash = certificate === undefined ? undefined : endPointHash(certificate);
  return hash === undefined ? undefined : createHash(hash).update(certificate!.raw).digest();
}

/** The hash of the certificate's own signature, SHA-256 in place of MD5 and SHA-1; none for a signature without one. */
function endPointHash(certificate: X509Certificate): string | undefined {
  const algorithm = (certificate.signatureAlgorithm ?? '').toLowerCase();
  if (/md5|sha-?1(?!\d)/.test(algorithm)) return 'sha256';
  const size = /sha-?(224|256|384|512)/.exec(algorithm)?.[1];
  return size === undefined ? undefined : `sha${size}`;
}

/** Node tells only its own tls.Server whether a chain was verified; its handle knows for every socket. */
function isVouchedFor(socket: TLSSocket): boolean {
  const { _handle: handle } = socket as unknown as { _handle: { verifyError(): Error | undefined } | null };
  return socket.getPeerX509Certificate() !== undefined && handle !== null && !handle.verifyError();
}

const QUOTED = /"(?:[^"\\]|\\.)*"/g;

/**
 * `email:` stands before an rfc822Name. A name of any kind with characters that could be taken for more is in quotes: what
 * stands in them is looked at by nobody. An address has an `@`, and no colon: `dn:` and `u:` mean something to LDAP.
 */
function addressOf(certificate: X509Certificate | undefined): string | undefined {
  const all = (certificate?.subjectAltName ?? '').replace(QUOTED, '""').split(', ');
  const names = all.filter((name) => name.startsWith('email:'));
  const address = names.length === 1 ? names[0]!.slice(6) : '';
  return address.includes('@') && !/[:"]/.test(address) ? address : undefined;
}
