// Runs a session's steps against a server, whichever it is.
//
// In      steps (script.ts), a target: where its doors are, who its users are, how to set the scene
// Out     nothing, or a SessionFailure with the line of the file, what was expected, what came, and the talk before it
// Limits  a reply may take 15 s, a count of a mailbox ten
// Never   interprets what is said beyond tags and the ends of multi-line replies

import { ConnectionClosed, LineConnection } from '../../support/line-connection.ts';
import { type Captures, fill, matchLine, unescapeRaw } from './pattern.ts';
import type { Step } from './script.ts';

export interface User {
  readonly login: string;
  readonly password: string;
}

export interface Target {
  /** `only` lines are compared with this; a session for another server is skipped. */
  readonly server: string;
  readonly hostname: string;
  readonly doors: Readonly<Record<string, { readonly host: string; readonly port: number }>>;
  /** Sets the scene and says who is in it. */
  fixture(name: string): Promise<Readonly<Record<string, User>>>;
}

export class SessionFailure extends Error {}

/** 'skipped' when the session is for another server. */
export async function runSession(steps: readonly Step[], target: Target, name: string): Promise<'done' | 'skipped'> {
  const only = steps.find((step) => step.kind === 'only');
  if (only !== undefined && only.server !== target.server) return 'skipped';
  const fixture = steps.find((step) => step.kind === 'fixture');
  const session = new Session(target, await target.fixture(fixture?.name ?? 'acme'));
  try {
    for (const step of steps) {
      try {
        await session.run(step);
      } catch (error) {
        const what = error instanceof Error ? error.message : String(error);
        throw new SessionFailure(`${name}:${step.line}: ${what}\n\n${session.talk()}\n`, { cause: error });
      }
    }
  } finally {
    session.close();
  }
  return 'done';
}

type Style = 'imap' | 'pop3' | 'smtp';

interface Speaker {
  readonly name: string;
  readonly style: Style;
  readonly connection: LineConnection;
  /** IMAP tags of commands without a tagged reply, oldest first. */
  readonly tags: string[];
  tagged: number;
  /** A line that was looked at and belongs to the next step. */
  ahead: string | undefined;
}

const TALK_LINES = 30;

class Session {
  readonly #target: Target;
  readonly #users: Readonly<Record<string, User>>;
  readonly #captures: Captures = new Map();
  readonly #speakers = new Map<string, Speaker>();
  readonly #talk: string[] = [];
  #last = '';

  constructor(target: Target, users: Readonly<Record<string, User>>) {
    this.#target = target;
    this.#users = users;
    this.#captures.set('hostname', target.hostname);
    for (const [name, { login, password }] of Object.entries(users)) {
      this.#captures.set(name, login);
      this.#captures.set(`${name}.password`, password);
      this.#captures.set(`${name}.plain`, Buffer.from(`\0${login}\0${password}`).toString('base64'));
    }
  }

  async run(step: Step): Promise<void> {
    switch (step.kind) {
      case 'only':
      case 'fixture':
        return;
      case 'connect':
        return this.#connect(step);
      case 'send':
        return this.#send(this.#speaker(step.connection), fill(step.text, this.#captures));
      case 'raw': {
        const bytes = unescapeRaw(fill(step.text, this.#captures));
        this.#note(step.connection, '|', step.text);
        return this.#speaker(step.connection).connection.write(bytes);
      }
      case 'expect':
        for (let i = 0; i < step.times; i++) await this.#expect(this.#speaker(step.connection), step.pattern);
        return;
      case 'anyOrder':
        return this.#anyOrder(this.#speaker(step.connection), step.patterns);
      case 'closed':
        return this.#closed(this.#speaker(step.connection ?? this.#last));
      case 'end':
        return this.#speaker(step.connection ?? this.#last).connection.end();
      case 'close':
        return this.#speaker(step.connection ?? this.#last).connection.destroy();
      case 'mailbox':
        return this.#mailbox(this.#user(step.user), step.mailbox, step.messages);
      default:
        step satisfies never;
    }
  }

  /** The last lines of the conversation, for the failure's text. */
  talk(): string {
    return this.#talk.slice(-TALK_LINES).join('\n');
  }

  close(): void {
    for (const { connection } of this.#speakers.values()) connection.destroy();
  }

  async #connect(step: Extract<Step, { kind: 'connect' }>): Promise<void> {
    const door = this.#target.doors[step.door];
    if (door === undefined) throw new Error(`no door ${step.door} at this server`);
    const style: Style = step.door === 'imap' || step.door === 'pop3' ? step.door : 'smtp';
    const connection = await LineConnection.open(door.host, door.port);
    const speaker: Speaker = { name: step.connection, style, connection, tags: [], tagged: 0, ahead: undefined };
    this.#speakers.get(step.connection)?.connection.destroy();
    this.#speakers.set(step.connection, speaker);
    this.#last = step.connection;
    if (step.user !== undefined) await this.#login(speaker, this.#user(step.user));
    if (step.open !== undefined) {
      this.#send(speaker, `${step.open.verb} ${step.open.mailbox}`);
      await this.#expect(speaker, 'OK ...');
    }
  }

  async #login(speaker: Speaker, user: User): Promise<void> {
    const plain = Buffer.from(`\0${user.login}\0${user.password}`).toString('base64');
    const dialogue = {
      imap: [['* OK {*}'], [`LOGIN "${user.login}" "${user.password}"`, 'OK ...']],
      pop3: [['+OK{*}'], [`USER ${user.login}`, '+OK{*}'], [`PASS ${user.password}`, '+OK{*}']],
      smtp: [['220 ...'], ['EHLO client.example', '250 ...'], [`AUTH PLAIN ${plain}`, '235 {*}']],
    }[speaker.style];
    for (const turn of dialogue) {
      if (turn.length === 2) this.#send(speaker, turn[0]!);
      await this.#expect(speaker, turn.at(-1)!);
    }
  }

  #send(speaker: Speaker, text: string): void {
    this.#note(speaker.name, '>', text);
    if (speaker.style !== 'imap') {
      speaker.connection.write(`${text}\r\n`);
      return;
    }
    const tag = `a${String(++speaker.tagged).padStart(3, '0')}`;
    speaker.tags.push(tag);
    speaker.connection.write(`${tag} ${text}\r\n`);
  }

  async #expect(speaker: Speaker, pattern: string): Promise<void> {
    const rest = pattern === '...' || pattern.endsWith(' ...');
    const wanted = rest ? pattern.slice(0, -3).trimEnd() : pattern;
    if (speaker.style === 'imap') return this.#expectImap(speaker, wanted, rest);
    const line = await this.#line(speaker);
    if (!rest) return this.#compare(wanted, line);
    if (speaker.style === 'pop3') {
      this.#compare(`${wanted}{*}`, line);
      while ((await this.#line(speaker)) !== '.');
      return;
    }
    // SMTP: 250-first, 250-more, 250 last; a reply of one line is complete at once. RFC 5321 §4.2.1
    if (!matchLine(`${wanted}{*}`, line, this.#captures)) this.#differs(pattern, line);
    let last = line;
    while (last[3] === '-') {
      last = await this.#line(speaker);
      if (!last.startsWith(line.slice(0, 3))) this.#differs(`${line.slice(0, 3)} in every line of the reply`, last);
    }
  }

  async #expectImap(speaker: Speaker, wanted: string, rest: boolean): Promise<void> {
    const tag = speaker.tags[0];
    let line = await this.#line(speaker);
    if (rest) {
      while (!/^\S+ (OK|NO|BAD) /.test(line) || line.startsWith('* ')) line = await this.#line(speaker);
      if (wanted === '') {
        speaker.ahead = line;
        return;
      }
    }
    const status = /^(OK|NO|BAD)( .*)?$/s.exec(wanted);
    if (status === null || tag === undefined) return this.#compare(wanted, line);
    this.#compare(`${tag} ${status[1]}${status[2] ?? ' {*}'}`, line);
    speaker.tags.shift();
  }

  async #anyOrder(speaker: Speaker, patterns: readonly string[]): Promise<void> {
    const left = [...patterns];
    while (left.length > 0) {
      const line = await this.#line(speaker);
      const at = left.findIndex((pattern) => matchLine(pattern, line, this.#captures));
      if (at < 0) this.#differs(`any of\n            ${left.join('\n            ')}`, line);
      left.splice(at, 1);
    }
  }

  async #closed(speaker: Speaker): Promise<void> {
    const rest = `${speaker.ahead ?? ''}${await speaker.connection.untilClosed()}`;
    if (rest !== '') this.#differs('the connection to be closed', JSON.stringify(rest.slice(0, 500)));
  }

  async #mailbox(user: User, mailbox: string, messages: number): Promise<void> {
    const door = this.#target.doors['imap'];
    if (door === undefined) throw new Error('no door imap to look into the mailbox');
    const connection = await LineConnection.open(door.host, door.port);
    try {
      await connection.line();
      connection.write(`a LOGIN "${user.login}" "${user.password}"\r\n`);
      await until(connection, 'a ');
      const deadline = Date.now() + 10_000;
      for (let found = -1; ; ) {
        connection.write(`b STATUS "${mailbox}" (MESSAGES)\r\n`);
        for (const line of await until(connection, 'b ')) {
          found = Number(/MESSAGES (\d+)/.exec(line)?.[1] ?? found);
        }
        if (found === messages) return;
        // More than expected does not become fewer; fewer may, where another program delivers.
        if (found > messages || Date.now() > deadline) throw new Error(`${mailbox} has ${found}, expected ${messages}`);
        await new Promise((wait) => setTimeout(wait, 50));
      }
    } finally {
      connection.destroy();
    }
  }

  async #line(speaker: Speaker): Promise<string> {
    if (speaker.ahead !== undefined) {
      const line = speaker.ahead;
      speaker.ahead = undefined;
      return line;
    }
    try {
      const line = await speaker.connection.line();
      this.#note(speaker.name, '<', line);
      return line;
    } catch (error) {
      if (error instanceof ConnectionClosed) this.#note(speaker.name, '<', `(${error.message})`);
      throw error;
    }
  }

  #compare(pattern: string, line: string): void {
    if (!matchLine(pattern, line, this.#captures)) this.#differs(pattern, line);
  }

  #differs(expected: string, got: string): never {
    throw new Error(`expected  ${expected}\n  got       ${got}`);
  }

  #note(name: string, sign: string, text: string): void {
    this.#talk.push(`  ${name}${sign} ${text.length > 300 ? `${text.slice(0, 300)} (${text.length} octets)` : text}`);
  }

  #speaker(name: string): Speaker {
    const speaker = this.#speakers.get(name);
    if (speaker === undefined) throw new Error(`${name} is not connected`);
    this.#last = name;
    return speaker;
  }

  #user(name: string): User {
    const user = this.#users[name];
    if (user === undefined) throw new Error(`the fixture has no user ${name}`);
    return user;
  }
}

/** Lines up to and with the one that begins so. */
async function until(connection: LineConnection, start: string): Promise<string[]> {
  const lines: string[] = [];
  do lines.push(await connection.line());
  while (!lines.at(-1)!.startsWith(start));
  if (!lines.at(-1)!.startsWith(`${start}OK`)) throw new Error(lines.at(-1));
  return lines;
}
