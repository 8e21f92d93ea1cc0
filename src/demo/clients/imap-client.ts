// A small IMAP client: sends commands and gives back the responses, octet for octet.
//
// In      commands as text, messages as octets
// Out     untagged responses with their literals; a tagged NO or BAD is a thrown ImapRefusal
// Never   caches, re-sends or interprets; what a full client does with us is tested with real ones
// RFC 3501 §7, RFC 4315 §3

import { type Endpoint, LineConnection } from './line-connection.ts';

export interface Untagged {
  /** Without `* `; a literal stands as `{n}` and its octets in `literals`. */
  readonly text: string;
  readonly literals: readonly Buffer[];
}

export interface Tagged {
  /** After the tag and OK. */
  readonly text: string;
  readonly untagged: readonly Untagged[];
}

export class ImapRefusal extends Error {}

export interface FetchedMessage {
  readonly uid: number;
  readonly flags: readonly string[];
  readonly body: Buffer;
}

export class ImapClient {
  readonly connection: LineConnection;
  #tags = 0;

  private constructor(connection: LineConnection) {
    this.connection = connection;
  }

  static async open({ host, port }: Endpoint): Promise<ImapClient> {
    const connection = await LineConnection.open(host, port);
    const greeting = await connection.line();
    if (!greeting.startsWith('* OK')) throw new ImapRefusal(greeting);
    return new ImapClient(connection);
  }

  static async login(door: Endpoint, login: string, password: string): Promise<ImapClient> {
    const client = await ImapClient.open(door);
    await client.command(`LOGIN "${login}" "${password}"`);
    return client;
  }

  /** Sends one command and reads up to its tagged reply. `literal` follows the command after the server's `+`. */
  async command(text: string, literal?: Uint8Array): Promise<Tagged> {
    const tag = `t${++this.#tags}`;
    this.connection.write(`${tag} ${text}${literal === undefined ? '' : ` {${literal.length}}`}\r\n`);
    const untagged: Untagged[] = [];
    for (;;) {
      const response = await this.#response();
      if (response.text.startsWith('* ')) untagged.push({ ...response, text: response.text.slice(2) });
      else if (response.text.startsWith('+') && literal !== undefined) {
        this.connection.write(literal);
        this.connection.write('\r\n');
      } else if (response.text.startsWith(`${tag} OK`)) {
        return { text: response.text.slice(tag.length + 4), untagged };
      } else throw new ImapRefusal(response.text);
    }
  }

  /** The UID of the new message where the server says it (UIDPLUS). */
  async append(mailbox: string, message: Uint8Array, flags = ''): Promise<number | undefined> {
    const { text } = await this.command(`APPEND "${mailbox}"${flags === '' ? '' : ` (${flags})`}`, message);
    const uid = /\[APPENDUID \d+ (\d+)\]/.exec(text)?.[1];
    return uid === undefined ? undefined : Number(uid);
  }

  /** Messages in the mailbox, by STATUS. */
  async count(mailbox = 'INBOX'): Promise<number> {
    const { untagged } = await this.command(`STATUS "${mailbox}" (MESSAGES)`);
    for (const { text } of untagged) {
      const messages = /^STATUS .*MESSAGES (\d+)/.exec(text)?.[1];
      if (messages !== undefined) return Number(messages);
    }
    throw new Error('no STATUS response');
  }

  /** Every message of the mailbox with all its octets. */
  async fetchAll(mailbox = 'INBOX'): Promise<FetchedMessage[]> {
    const { untagged } = await this.command(`EXAMINE "${mailbox}"`);
    if (untagged.some(({ text }) => text === '0 EXISTS')) return [];
    const fetched: FetchedMessage[] = [];
    for (const { text, literals } of (await this.command('FETCH 1:* (UID FLAGS BODY.PEEK[])')).untagged) {
      const [, uid] = /^\d+ FETCH \(.*UID (\d+)/.exec(text) ?? [];
      if (uid === undefined) continue;
      const flags =
        /FLAGS \(([^)]*)\)/
          .exec(text)?.[1]
          ?.split(' ')
          .filter((flag) => flag !== '') ?? [];
      // A body without octets may come as "" instead of a literal.
      fetched.push({ uid: Number(uid), flags, body: literals[0] ?? Buffer.alloc(0) });
    }
    return fetched;
  }

  async logout(): Promise<void> {
    await this.command('LOGOUT');
    this.connection.destroy();
  }

  destroy(): void {
    this.connection.destroy();
  }

  async #response(): Promise<Untagged> {
    let text = await this.connection.line();
    const literals: Buffer[] = [];
    for (let size = literalSize(text); size !== undefined; size = literalSize(text)) {
      literals.push(Buffer.from(await this.connection.octets(size)));
      text += await this.connection.line();
    }
    return { text, literals };
  }
}

function literalSize(text: string): number | undefined {
  const size = /\{(\d+)\}$/.exec(text)?.[1];
  return size === undefined ? undefined : Number(size);
}
