// One connection to another host's SMTP server: what the client says is answered by the script, else as a host that takes all does.
//
// In      a socket that was accepted; the script's answers
// Out     command lines and messages, to who keeps them
// States  a line -> its reply; AUTH LOGIN takes two more lines; behind 354 the data up to its final dot; STARTTLS: all anew
// RFC 5321 §4.1.1 §4.5.2, RFC 3207 §4.2

import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { receivedMessage } from './received.ts';
import type { RemoteAnswer, RemoteHostScript, RemoteMessage, ScriptStep } from './remote-script.ts';

export interface RemoteConversationParts {
  /** Which one of all, from 1 on. */
  readonly number: number;
  readonly script: () => RemoteHostScript;
  /** What EHLO offers where the script says nothing. */
  readonly offers: readonly string[];
  /** Undefined: the usual one. */
  readonly answer: (step: ScriptStep, argument: string) => RemoteAnswer | undefined;
  readonly kept: { readonly commands: string[]; readonly messages: RemoteMessage[]; readonly serverNames: string[] };
}

interface RemoteTransaction {
  sender: string;
  parameters: string;
  recipients: string[];
}

const NO_TRANSACTION = (): RemoteTransaction => ({ sender: '', parameters: '', recipients: [] });
const END_OF_DATA = '\r\n.\r\n';

export class RemoteConversation {
  readonly #socket: Socket;
  readonly #parts: RemoteConversationParts;
  #stream: Socket;
  #tls: string | undefined;
  #received = '';
  /** How far `#received` has been looked through for the end of the data. */
  #looked = 0;
  #isInData = false;
  #hasSender = false;
  /** Lines of a login that are still to come. */
  #ofLogin = 0;
  #transaction = NO_TRANSACTION();

  constructor(socket: Socket, parts: RemoteConversationParts) {
    this.#socket = socket;
    this.#parts = parts;
    this.#stream = socket;
    this.#listen();
    this.#say('greeting', '220 remote ESMTP');
  }

  #listen(): void {
    this.#stream.on('error', () => {});
    this.#stream.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('latin1');
      while (this.#isInData ? this.#takeMessage() : this.#takeLine());
    });
  }

  /** What was said, `2` for a message that is taken in silence. */
  #say(step: ScriptStep | undefined, usual: string, argument = ''): string {
    const chosen = (step === undefined ? undefined : this.#parts.answer(step, argument)) ?? usual;
    if (typeof chosen === 'string') {
      this.#stream.write(`${chosen}\r\n`, 'latin1');
      return chosen;
    }
    if ('close' in chosen) this.#socket.destroy();
    return 'taken' in chosen ? '2' : '';
  }

  /** False: it is not whole yet. */
  #takeLine(): boolean {
    const end = this.#received.indexOf('\r\n');
    if (end < 0) return false;
    const line = this.#received.slice(0, end);
    this.#received = this.#received.slice(end + 2);
    this.#looked = 0;
    this.#parts.kept.commands.push(line);
    if (this.#ofLogin > 0) this.#takeLogin(line);
    else this.#command(line);
    return true;
  }

  #takeLogin(line: string): void {
    this.#ofLogin--;
    this.#say('auth', this.#ofLogin > 0 ? '334 more' : '235 2.7.0 in', decoded(line));
  }

  #command(line: string): void {
    switch (line.slice(0, 4).toUpperCase()) {
      case 'EHLO':
      case 'LHLO':
        this.#say('ehlo', this.#extended(), this.#tls ?? '');
        break;
      case 'HELO':
        this.#say('helo', '250 remote');
        break;
      case 'AUTH':
        this.#beginLogin(line);
        break;
      case 'STAR':
        this.#startTls();
        break;
      case 'MAIL':
        this.#takeSender(line);
        break;
      case 'RCPT':
        this.#takeRecipient(line);
        break;
      case 'DATA':
        this.#beginData(line);
        break;
      case 'RSET':
        this.#transaction = NO_TRANSACTION();
        this.#say(undefined, '250 2.0.0 ok');
        break;
      case 'QUIT':
        this.#say('quit', '221 2.0.0 bye');
        this.#stream.end();
        break;
      default:
        this.#say(undefined, '500 5.5.1 what');
    }
  }

  #beginLogin(line: string): void {
    const [, mechanism, initial] = line.split(' ');
    this.#ofLogin = mechanism === 'LOGIN' ? 2 : 0;
    this.#say('auth', this.#ofLogin > 0 ? '334 name' : '235 2.7.0 in', decoded(initial ?? ''));
  }

  #takeSender(line: string): void {
    const [sender, parameters] = pathOf(line);
    this.#transaction = { sender, parameters, recipients: [] };
    this.#hasSender = this.#say('mail', '250 2.1.0 ok', line).startsWith('2');
  }

  #takeRecipient(line: string): void {
    if (!this.#hasSender) {
      this.#say(undefined, '503 5.5.1 MAIL first');
      return;
    }
    const [address] = pathOf(line);
    if (this.#say('rcpt', '250 2.1.5 ok', address).startsWith('2')) this.#transaction.recipients.push(address);
  }

  #beginData(line: string): void {
    const usual = this.#transaction.recipients.length > 0 ? '354 go on' : '554 5.5.1 no valid recipients';
    this.#isInData = this.#say('data', usual, line).startsWith('3');
    if (this.#isInData && this.#parts.script().deaf === true) this.#stream.pause();
  }

  /** False: it is not whole yet. */
  #takeMessage(): boolean {
    // The data begins at the start of a line.
    const isEmpty = this.#received.startsWith('.\r\n');
    const end = isEmpty ? -2 : this.#received.indexOf(END_OF_DATA, Math.max(0, this.#looked - 4));
    this.#looked = this.#received.length;
    if (end === -1) return false;
    const data = this.#received.slice(0, Math.max(0, end + 2)).replace(/^\.\./gm, '.');
    this.#received = this.#received.slice(end + END_OF_DATA.length);
    this.#isInData = false;
    if (!this.#say('dot', '250 2.0.0 taken', data).startsWith('2')) return true;
    const { kept, number: connection } = this.#parts;
    const message = receivedMessage(Buffer.from(data, 'latin1'));
    kept.messages.push({ ...message, ...this.#transaction, data, tls: this.#tls, connection });
    return true;
  }

  #startTls(): void {
    const identity = this.#parts.script().tls;
    if (identity === undefined) {
      this.#say(undefined, '500 5.5.1 what');
      return;
    }
    if (this.#say('starttls', '220 2.0.0 go on').startsWith('220')) this.#secure(identity);
  }

  #secure(identity: NonNullable<RemoteHostScript['tls']>): void {
    const socket = this.#socket;
    socket.removeAllListeners('data');
    this.#received = '';
    if (identity === 'mute') {
      socket.resume();
      return;
    }
    if (identity === 'broken') {
      // Behind the client's first words: in the same segment as the 220 it would be something else.
      socket.once('data', () => socket.end('This is not TLS at all\r\n'));
      return;
    }
    const secured = new TLSSocket(socket, { isServer: true, ...identity });
    this.#stream = secured;
    secured.once('secure', () => {
      this.#tls = secured.getProtocol() ?? '';
      this.#parts.kept.serverNames.push('servername' in secured ? String(secured.servername || '') : '');
    });
    this.#listen();
  }

  #extended(): string {
    const { extensions, tls } = this.#parts.script();
    const startTls = tls === undefined || this.#tls !== undefined ? [] : ['STARTTLS'];
    const lines = ['remote', ...(extensions ?? this.#parts.offers), ...startTls];
    return lines.map((line, i) => `250${i === lines.length - 1 ? ' ' : '-'}${line}`).join('\r\n');
  }
}

/** Of MAIL and RCPT: the path, and what stands behind it. */
function pathOf(line: string): readonly [path: string, parameters: string] {
  const found = /<(.*?)>\s?(.*)$/.exec(line);
  return [found?.[1] ?? '', found?.[2] ?? ''];
}

function decoded(text: string): string {
  return Buffer.from(text, 'base64').toString('utf8');
}
