// The demo's SMTP client: one message a connection, in two halves, so that RCPT and the dot have times of their own.

import { parseAddress } from '../../message/address.ts';
import { ehloCommand, rcptCommand } from '../../wire/smtp/client.ts';
import { Conversation, type Endpoint } from './conversation.ts';

export class SmtpClient {
  readonly #conversation: Conversation;

  private constructor(conversation: Conversation) {
    this.#conversation = conversation;
  }

  /** Greeted, and the sender is named. */
  static async open(endpoint: Endpoint, sender: string, signal: AbortSignal): Promise<SmtpClient> {
    const client = new SmtpClient(await Conversation.open(endpoint, signal));
    await client.#reply();
    await client.#command(ehloCommand('elsewhere.example'));
    await client.#command(`MAIL FROM:<${sender}>\r\n`);
    return client;
  }

  /** The reply, whatever it is. */
  rcpt(address: string): Promise<string> {
    return this.#command(rcptCommand({ address: parseAddress(address) }));
  }

  /** The reply to the dot. */
  async message(text: string): Promise<string> {
    const ready = await this.#command('DATA\r\n');
    return ready.startsWith('354') ? this.#command(`${text.replace(/^\./gm, '..')}.\r\n`) : ready;
  }

  end(): void {
    this.#conversation.end();
  }

  #command(line: string): Promise<string> {
    this.#conversation.say(line);
    return this.#reply();
  }

  /** The last line of a reply. */
  async #reply(): Promise<string> {
    for (;;) {
      const line = await this.#conversation.line();
      if (line[3] !== '-') return line;
    }
  }
}
