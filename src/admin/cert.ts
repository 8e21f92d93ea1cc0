// cert show, cert reload: which certificate is served for which name, until when, and which files were refused.

import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { CertificateChoice } from '../net/certificate-choice.ts';
import type { RefusedCertificate } from '../net/certificate-folders.ts';
import type { TlsMaterial } from '../net/tls.ts';
import { adminOperation } from './operation.ts';

export interface CertificateOfName {
  /** `*.acme.example`: each name with one label more. */
  readonly name: string;
  /** The folder, or `local`. */
  readonly source: string;
  /** Of its key: `ec`, `rsa`. */
  readonly key: string;
  /** ISO 8601. */
  readonly until: string;
  readonly isValid: boolean;
}

export interface CertificateReport {
  readonly served: readonly CertificateOfName[];
  /** Files that are not used. A certificate that was served from there before still is. */
  readonly refused: readonly RefusedCertificate[];
}

export interface CertificateParts {
  readonly clock: Clock;
  readonly certificates: {
    readonly material: TlsMaterial;
    readonly refused: readonly RefusedCertificate[];
    /** Looks at the files; resolves when what they hold is served. */
    look(): Promise<void>;
  };
}

export const certShow = (parts: CertificateParts) =>
  adminOperation('cert.show', z.strictObject({}), (): CertificateReport => report(parts));

export const certReload = (parts: CertificateParts) =>
  adminOperation('cert.reload', z.strictObject({}), async (): Promise<CertificateReport> => {
    await parts.certificates.look();
    return report(parts);
  });

function report({ clock, certificates }: CertificateParts): CertificateReport {
  const { material, refused } = certificates;
  const now = clock.now();
  const choice = new CertificateChoice(material.certificates, material.local, material.hostname);
  const names = new Set([material, ...material.certificates, material.local].flatMap(namesOf));
  const served = [...names].flatMap((name) =>
    choice.choose(name, now).map(({ source, keyType, notBefore, notAfter }) => ({
      name,
      source,
      key: keyType,
      until: new Date(notAfter).toISOString(),
      isValid: notBefore <= now && now < notAfter,
    })),
  );
  return { served, refused };
}

function namesOf(of: TlsMaterial | { readonly names: readonly string[] }): readonly string[] {
  return 'names' in of ? of.names : [of.hostname];
}
