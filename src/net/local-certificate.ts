// The certificate that a server has without anybody's doing: an authority of its own, and a certificate signed by it.
//
// In      names and addresses, a time
// Out     PEM of an authority with its key (10 years), of a certificate with its key (P-256, 397 days)
// The library takes a tenth of a second to import: only where something is made.
// RFC 5280 §4.2

import { KeyObject, webcrypto } from 'node:crypto';
import { DAY_MS, HOUR_MS } from '../base/duration.ts';

const AUTHORITY_DAYS = 3650;
/** Browsers and Apple's clients refuse more than 398. */
const CERTIFICATE_DAYS = 397;
/** A client whose clock is behind. */
const CLOCK_MS = HOUR_MS;

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface MadeCertificate {
  /** PEM */
  readonly certificate: string;
  readonly key: string;
}

export interface LocalNames {
  readonly dns: readonly string[];
  readonly ip: readonly string[];
}

async function library() {
  // Its dependency injection looks for this when it is loaded.
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

export async function makeAuthority(hostname: string, now: number): Promise<MadeCertificate> {
  const x509 = await library();
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: [{ O: ['Waypost'] }, { CN: [commonName(`Waypost at ${hostname}`)] }],
      notBefore: new Date(now - CLOCK_MS),
      notAfter: new Date(now - CLOCK_MS + AUTHORITY_DAYS * DAY_MS),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    },
    webcrypto as Crypto,
  );
  return { certificate: pem(certificate.toString('pem')), key: privateKey(keys.privateKey) };
}

/** Signed by the authority; its chain is certificate and authority. */
export async function makeCertificate(
  authority: MadeCertificate,
  names: LocalNames,
  now: number,
): Promise<MadeCertificate> {
  const x509 = await library();
  const issuer = new x509.X509Certificate(authority.certificate);
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    x509.PemConverter.decodeFirst(authority.key),
    ALGORITHM,
    false,
    ['sign'],
  );
  const certificate = await x509.X509CertificateGenerator.create(
    {
      subject: [{ CN: [commonName(names.dns[0] ?? 'localhost')] }],
      issuer: issuer.subjectName,
      notBefore: new Date(now - CLOCK_MS),
      notAfter: new Date(now - CLOCK_MS + CERTIFICATE_DAYS * DAY_MS),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension([
          ...names.dns.map((value) => ({ type: 'dns' as const, value })),
          ...names.ip.map((value) => ({ type: 'ip' as const, value })),
        ]),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ],
    },
    webcrypto as Crypto,
  );
  return {
    certificate: pem(certificate.toString('pem')) + authority.certificate,
    key: privateKey(keys.privateKey),
  };
}

/** 64 characters at most (RFC 5280, appendix A.1). */
function commonName(text: string): string {
  return text.slice(0, 64);
}

function pem(text: string): string {
  return `${text.trim()}\n`;
}

function privateKey(key: CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();
}
