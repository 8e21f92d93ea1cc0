// A certificate with its key, read and judged.
//
// In      PEM of a chain and of a private key, as loose as RFC 7468 §2 asks of who reads it
// Out     what can be served, with the names it is for
// Errors  Failure 'invalid' with one reason: not PEM, not yet or no more valid, the key of another, no name, refused by TLS

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { Failure } from '../base/failure.ts';
import type { ServedCertificate } from './certificate-choice.ts';

export function readCertificate(source: string, chain: string, key: string, now: number): ServedCertificate {
  const certificate = parsed('fullchain.pem', () => new X509Certificate(chain));
  const privateKey = parsed('privkey.pem', () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) throw new Failure('invalid', 'the key is another certificate’s');
  const notBefore = certificate.validFromDate.getTime();
  const notAfter = certificate.validToDate.getTime();
  if (notAfter <= now) throw new Failure('invalid', `expired at ${new Date(notAfter).toISOString()}`);
  const names = dnsNames(certificate);
  if (names.length === 0) throw new Failure('invalid', 'it has no DNS name among its alternative names');
  // What TLS does not take must be known here, not in a handshake: a key that is too short, a chain that breaks off.
  parsed('fullchain.pem', () => createSecureContext({ cert: chain, key }));
  return { source, names, chain, key, keyType: keyType(privateKey), notBefore, notAfter };
}

function parsed<T>(file: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new Failure('invalid', `${file}: ${why}`);
  }
}

/** Names in quotes hold characters that no DNS name has. */
function dnsNames(certificate: X509Certificate): string[] {
  const names = (certificate.subjectAltName ?? '')
    .split(', ')
    .filter((name) => name.startsWith('DNS:') && !name.startsWith('DNS:"'))
    .map((name) => name.slice(4).toLowerCase());
  return [...new Set(names)];
}

function keyType(key: KeyObject): string {
  return key.asymmetricKeyType ?? '';
}
