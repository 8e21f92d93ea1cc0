// A small LDAP client: bind and changes, one at a time.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { DirectoryChange } from '../../directory/entry.ts';
import { LdapFramer } from '../../wire/ldap/framer.ts';
import { decodeResponse, encodeRequest, type LdapRequest } from '../../wire/ldap/message.ts';
import type { Endpoint } from './line-connection.ts';

const RESPONSE_BYTES = 64 * 1024;

export class LdapClient {
  readonly #socket: Socket;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #framer = new LdapFramer(RESPONSE_BYTES);
  #messageId = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** Bound. */
  static async open({ host, port }: Endpoint, dn: string, password: string): Promise<LdapClient> {
    const socket = connect({ host, port, noDelay: true });
    await once(socket, 'connect');
    const client = new LdapClient(socket);
    const simple = { method: 'simple', password } as const;
    await client.#request({ kind: 'bind', version: 3, name: dn, authentication: simple });
    return client;
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
    this.#socket.destroy();
  }

  async #request(operation: LdapRequest): Promise<void> {
    const messageId = ++this.#messageId;
    this.#socket.write(encodeRequest({ messageId, operation, controls: [] }));
    for (;;) {
      const message = this.#framer.next();
      if (message === undefined) {
        const { done, value } = await this.#chunks.next();
        if (done === true) throw new Error('the server has closed the LDAP connection');
        this.#framer.push(value);
        continue;
      }
      const response = decodeResponse(message);
      if (response.messageId !== messageId || !('result' in response.operation)) continue;
      const { resultCode, diagnosticMessage } = response.operation.result;
      if (resultCode === 0) return;
      throw new Error(`LDAP ${operation.kind}: ${resultCode} ${diagnosticMessage}`);
    }
  }
}
