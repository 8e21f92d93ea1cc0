// A small LDAP client: bind and changes, one at a time.

import type { DirectoryChange } from '../../directory/entry.ts';
import { LdapConnection, resultText } from '../../directory/source/connection.ts';
import { formatEndpoint } from '../../net/listen.ts';
import type { LdapRequest } from '../../wire/ldap/message.ts';
import type { Endpoint } from './line-connection.ts';

/** A machine under load may take its time. */
const SILENCE_MS = 120_000;

export class LdapClient {
  readonly #connection: LdapConnection;

  private constructor(connection: LdapConnection) {
    this.#connection = connection;
  }

  /** Bound. */
  static async open({ host, port }: Endpoint, dn: string, password: string): Promise<LdapClient> {
    const urls = [`ldap://${formatEndpoint(host, port)}`];
    return new LdapClient(await LdapConnection.open({ urls, login: dn, password, silenceMs: SILENCE_MS }));
  }

  /** Resolves after LDAP's success. */
  async add(dn: string, attributes: Readonly<Record<string, readonly string[]>>): Promise<void> {
    const list = Object.entries(attributes).map(([name, values]) => ({ name, values }));
    await this.#request({ kind: 'add', dn, attributes: list });
  }

  /** A change as LDIF has it. */
  async change(change: DirectoryChange): Promise<void> {
    switch (change.kind) {
      case 'add': {
        const attributes = change.attributes.map(({ name, values }) => ({ name, values: [...values] }));
        return this.#request({ kind: 'add', dn: change.dn, attributes });
      }
      case 'modify':
      case 'delete':
        return this.#request(change);
      case 'rename':
        return this.#request({ ...change, kind: 'modifyDn' });
      default:
        change satisfies never;
    }
  }

  async delete(dn: string): Promise<void> {
    await this.#request({ kind: 'delete', dn });
  }

  end(): void {
    this.#connection.close();
  }

  async #request(operation: Exclude<LdapRequest, { readonly kind: 'search' }>): Promise<void> {
    const { result } = await this.#connection.request(operation);
    if (result.resultCode !== 0) throw new Error(`LDAP ${operation.kind}: ${resultText(result)}`);
  }
}
