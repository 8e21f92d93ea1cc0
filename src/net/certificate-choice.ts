// Which certificate a client gets for the name that it asks for.
//
// In      certificates with their names, the local one, this host's name; a name, a time
// Out     one certificate, or an RSA and an ECDSA one together
// Order   exact name, one-label wildcard, this host's, local; among equals a valid one before an expired one, then the one
//         that began later
// Never   looks at a subject's common name: names are the alternative names alone (RFC 9525 §2)

export interface ServedCertificate {
  /** Where it is from: its folder. */
  readonly source: string;
  /** DNS names in lower case, `*.acme.example` among them. */
  readonly names: readonly string[];
  /** PEM, the certificate first. */
  readonly chain: string;
  readonly key: string;
  /** Of its key: `rsa`, `ec`, ... One of each kind can be served together. */
  readonly keyType: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export class CertificateChoice {
  readonly #byName = new Map<string, ServedCertificate[]>();
  readonly #local: ServedCertificate;
  readonly #hostname: string;

  constructor(certificates: readonly ServedCertificate[], local: ServedCertificate, hostname: string) {
    this.#local = local;
    this.#hostname = hostname;
    for (const certificate of certificates)
      for (const name of certificate.names) {
        const those = this.#byName.get(name);
        if (those === undefined) this.#byName.set(name, [certificate]);
        else those.push(certificate);
      }
  }

  /** At least one; the first is the best, the others have keys of other types. */
  choose(serverName: string | undefined, now: number): readonly ServedCertificate[] {
    const those = (serverName === undefined ? undefined : this.#named(serverName)) ??
      this.#named(this.#hostname) ?? [this.#local];
    return those.length === 1 ? those : together(those, now);
  }

  #named(name: string): readonly ServedCertificate[] | undefined {
    const dot = name.indexOf('.');
    return this.#byName.get(name) ?? (dot > 0 ? this.#byName.get(`*${name.slice(dot)}`) : undefined);
  }
}

const isValid = (certificate: ServedCertificate, now: number): boolean =>
  certificate.notBefore <= now && now < certificate.notAfter;

function together(those: readonly ServedCertificate[], now: number): readonly ServedCertificate[] {
  const ranked = those.toSorted(
    (a, b) => Number(isValid(b, now)) - Number(isValid(a, now)) || b.notBefore - a.notBefore,
  );
  const best = ranked[0]!;
  const kinds = new Map([[best.keyType, best]]);
  // An expired one beside a valid one would be given to the clients of its kind.
  for (const each of ranked)
    if (!kinds.has(each.keyType) && isValid(each, now) === isValid(best, now)) kinds.set(each.keyType, each);
  return [...kinds.values()];
}
