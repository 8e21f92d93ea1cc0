// A small SMTP client: one transaction at a time, every reply given back.
//
// In      envelope and octets of a message
// Out     replies as they were sent; `send` gives the last one
// Never   retries; a reply that was not expected is a thrown SmtpRefusal with the whole reply
// RFC 5321 §4.2

import { type Endpoint, LineConnection } from './line-connection.ts';

export interface SmtpReply {
  readonly code: number;
  /** The text of each line, without the code. */
  readonly lines: readonly string[];
}

export class SmtpRefusal extends Error {
  readonly reply: SmtpReply;

  constructor(command: string, reply: SmtpReply) {
    super(`${command}: ${reply.code} ${reply.lines.join(' / ')}`);
    this.reply = reply;
  }
}

export class SmtpClient {
  readonly connection: LineConnection;

  private constructor(connection: LineConnection) {
    this.connection = connection;
  }

  /** Connected and greeted with EHLO; with a login also authenticated. `from`: the address that it comes from. */
  static async open(
    { host, port }: Endpoint,
    login?: { login: string; password: string },
    from?: string,
  ): Promise<SmtpClient> {
    const client = new SmtpClient(await LineConnection.open(host, port, from));
    client.#expect('greeting', await client.reply(), 220);
    client.#expect('EHLO', await client.command('EHLO client.example'), 250);
    if (login !== undefined) {
      const plain = Buffer.from(`\0${login.login}\0${login.password}`).toString('base64');
      client.#expect('AUTH', await client.command(`AUTH PLAIN ${plain}`), 235);
    }
    return client;
  }

  async reply(): Promise<SmtpReply> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.connection.line();
      lines.push(line.slice(4));
      if (line[3] !== '-') return { code: Number(line.slice(0, 3)), lines };
    }
  }

  command(line: string): Promise<SmtpReply> {
    this.connection.write(`${line}\r\n`);
    return this.reply();
  }

  /** MAIL and RCPTs in one write, then DATA, then the message. Gives the reply to the dot; all recipients must be taken. */
  async send(sender: string, recipients: readonly string[], message: Uint8Array): Promise<SmtpReply> {
    const paths = recipients.map((recipient) => `RCPT TO:<${recipient}>\r\n`);
    this.connection.write(`MAIL FROM:<${sender}>\r\n${paths.join('')}DATA\r\n`);
    const replies = [await this.reply()];
    for (const _ of recipients) replies.push(await this.reply());
    const data = await this.reply();
    const refused = replies.find((reply) => reply.code >= 300);
    if (data.code !== 354) throw new SmtpRefusal('DATA', refused ?? data);
    this.connection.write(stuff(message));
    const last = await this.reply();
    if (refused !== undefined) throw new SmtpRefusal('RCPT', refused);
    this.#expect('the dot', last, 250);
    return last;
  }

  /** DATA and the message, after MAIL and RCPT. Gives the reply to the dot. */
  async data(message: Uint8Array): Promise<SmtpReply> {
    this.#expect('DATA', await this.command('DATA'), 354);
    this.connection.write(stuff(message));
    return this.reply();
  }

  async quit(): Promise<void> {
    await this.command('QUIT');
    this.connection.destroy();
  }

  destroy(): void {
    this.connection.destroy();
  }

  #expect(command: string, reply: SmtpReply, code: number): void {
    if (reply.code !== code) throw new SmtpRefusal(command, reply);
  }
}

/** The message as DATA takes it: dots doubled, a CRLF at its end, the dot. RFC 5321 §4.5.2 */
function stuff(message: Uint8Array): string {
  const text = Buffer.from(message).toString('latin1').replace(/^\./gm, '..');
  return `${text}${text.endsWith('\r\n') || text === '' ? '' : '\r\n'}.\r\n`;
}
