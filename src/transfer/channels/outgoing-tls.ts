// How TLS is used with other hosts: what the site says of a domain, and what a host's certificate is verified against.
//
// In      `[outgoing-tls]` and `[tls] outgoing-ca` of the configuration, a channel's word; the domains of a delivery and the host that takes it
// Out     what node:tls needs for this host; undefined: in the clear, whatever is offered
// Limits  the file of authorities is looked at again once in FRESH_MS, as other files of certificates are
// Never   fails: where the file of authorities cannot be read Node's roots count alone, and `problem` says so
// RFC 3207 §4.1, RFC 7435 §3 (opportunistic security)

import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { type ConnectionOptions, createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { systemClock } from '../../base/clock.ts';
import { errorCode } from '../../net/listen.ts';

/** `opportunistic`: where it is offered, whoever answers. `required`: verified, or not at all. */
export type TlsPolicy = 'opportunistic' | 'required' | 'off';

export interface TlsUse {
  readonly isRequired: boolean;
  readonly options: ConnectionOptions;
  /** Why the file of authorities does not count; undefined: it does, or there is none. */
  readonly problem: string | undefined;
}

export interface TlsWish {
  readonly host: string;
  readonly policy: TlsPolicy | undefined;
  readonly mustVerify?: boolean;
}

const FRESH_MS = 60_000;

interface Authorities {
  readonly text: string | undefined;
  readonly secureContext: SecureContext;
  readonly problem: string | undefined;
}

export class OutgoingTls {
  readonly #policies: ReadonlyMap<string, TlsPolicy>;
  /** PEM; undefined: Node's roots alone. */
  readonly #file: string | undefined;
  #authorities: Authorities | undefined;
  #looked = Number.NEGATIVE_INFINITY;

  constructor(policies: ReadonlyMap<string, TlsPolicy>, file: string | undefined) {
    this.#policies = policies;
    this.#file = file;
  }

  /**
   * `host` is the host's name, or an address where no name is known: then there is no SNI, and the address is verified.
   * `policy` counts where the configuration says nothing; `mustVerify`: `required`, whatever anybody says.
   */
  async use(domains: readonly string[], { host, policy: own, mustVerify }: TlsWish): Promise<TlsUse | undefined> {
    const policy = mustVerify === true ? 'required' : (this.#policy([...domains, host]) ?? own ?? 'opportunistic');
    if (policy === 'off') return undefined;
    const { secureContext, problem } = await this.#current();
    const name = isIP(host) === 0 ? { servername: host } : { host };
    const isRequired = policy === 'required';
    return { isRequired, problem, options: { ...name, secureContext, rejectUnauthorized: isRequired } };
  }

  /** Of several that share a connection one that must be verified decides for all. */
  #policy(names: readonly string[]): TlsPolicy | undefined {
    const policies = names.map((name) => this.#policies.get(name)).filter((policy) => policy !== undefined);
    return policies.includes('required') ? 'required' : policies[0];
  }

  async #current(): Promise<Authorities> {
    const now = systemClock.monotonic();
    if (this.#authorities !== undefined && (this.#file === undefined || now - this.#looked < FRESH_MS))
      return this.#authorities;
    this.#looked = now;
    const { text, problem } = await this.#read();
    const known = this.#authorities;
    if (known !== undefined && known.text === text && known.problem === problem) return known;
    this.#authorities = authorities(text, problem);
    return this.#authorities;
  }

  async #read(): Promise<{ readonly text: string | undefined; readonly problem: string | undefined }> {
    if (this.#file === undefined) return { text: undefined, problem: undefined };
    try {
      return { text: await readFile(this.#file, 'latin1'), problem: undefined };
    } catch (error) {
      return { text: undefined, problem: `${this.#file} cannot be read: ${errorCode(error)}` };
    }
  }
}

function authorities(text: string | undefined, problem: string | undefined): Authorities {
  try {
    const ca = text === undefined ? {} : { ca: [...rootCertificates, text] };
    return { text, problem, secureContext: createSecureContext(ca) };
  } catch (error) {
    return {
      text,
      problem: `no certificates can be read from it: ${errorCode(error)}`,
      secureContext: createSecureContext(),
    };
  }
}
