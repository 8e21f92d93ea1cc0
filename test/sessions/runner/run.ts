// Runs a session's steps against a server, whichever it is.
//
// In      steps (script.ts), a target: where its doors are, who its users are, how to set the scene
// Out     nothing, or a SessionFailure with the line of the file, what was expected, what was received, and the talk before it
// Ways    as-written; one-packet: all that a client says until another acts, or until it needs something from an answer, is
//         written at once; octets: each octet by itself; half-closed: behind its last line a client says no more; exchanged:
//         in the middle the transport is exchanged, behind the beginning of a line, which must be dropped
// Limits  a reply may take a minute, a count of a mailbox two
// Never   interprets what is said beyond tags and the ends of multi-line replies

import { ConnectionClosed, LineConnection } from '../../../src/demo/clients/line-connection.ts';
import { ScramClient } from '../../support/scram-client.ts';
import { type Captures, fill, isKnown, matchLine, unescapeRaw } from './pattern.ts';
import type { Step, Way } from './script.ts';

export interface User {
  readonly login: string;
  readonly password: string;
}

export interface Target {
  /** `only` lines are compared with this; a session for another server is skipped. */
  readonly server: string;
  readonly hostname: string;
  readonly doors: Readonly<Record<string, { readonly host: string; readonly port: number }>>;
  /**
   * Puts a stream that changes each octet in the transport's place when so many octets have come from this port. The change,
   * and where in what comes from the server it begins. Undefined: this target cannot.
   */
  exchange?(sent: { readonly port: number; readonly octets: number }): Promise<{
    readonly change: (octets: Uint8Array) => Buffer;
    readonly fromOctet: number;
  }>;
  /** The CA of the server's certificates, which are for `localhost`. Undefined: it has no TLS that could be checked. */
  readonly ca?: string;
  /** For the server to close what it has to; a minute where nothing is said. */
  readonly waitMs?: number;
  /** Replaces an attribute of a user's entry, or of a domain's; without one the entry goes. Undefined: there is no directory. */
  write?(entry: string, attribute?: string, value?: string): Promise<void>;
  /** Gives a user a token for these services; without any takes it away. Undefined: there are none. */
  token?(user: string, name: string, scopes?: string): Promise<string>;
  /** Sets the scene and says who is in it. */
  fixture(name: string): Promise<Readonly<Record<string, User>>>;
}

export class SessionFailure extends Error {}

/** 'skipped' when the session is for another server, or for another way. */
export async function runSession(
  script: readonly Step[],
  target: Target,
  name: string,
  way: Way = 'as-written',
): Promise<'done' | 'skipped'> {
  const only = script.find((step) => step.kind === 'only');
  if (only !== undefined && only.server !== target.server) return 'skipped';
  if (script.some((step) => step.kind === 'not' && step.way === way)) return 'skipped';
  if (way === 'exchanged' && target.exchange === undefined) return 'skipped';
  if (script.some(({ kind }) => kind === 'tls') && target.ca === undefined) return 'skipped';
  const writes = script.some(({ kind }) => kind === 'write' || kind === 'remove');
  if (writes && target.write === undefined) return 'skipped';
  if (target.token === undefined && script.some(({ kind }) => kind === 'token')) return 'skipped';
  const fixture = script.find((step) => step.kind === 'fixture');
  const steps = script.flatMap((step) => (step.kind === 'connect' ? logIn(step) : [step]));
  const session = new Session(target, await target.fixture(fixture?.name ?? 'acme'), steps, way);
  try {
    for (const step of steps) {
      try {
        await session.run(step);
      } catch (error) {
        const what = error instanceof Error ? error.message : String(error);
        throw new SessionFailure(`${name}:${step.line}: ${what}\n\n${session.talk()}\n`, { cause: error });
      }
    }
    await session.finish().catch((error: unknown) => {
      throw new SessionFailure(`${name}: a client that said no more was not shown out: ${String(error)}`, {
        cause: error,
      });
    });
  } finally {
    session.close();
  }
  return 'done';
}

type Style = 'imap' | 'pop3' | 'smtp';

interface Speaker {
  readonly name: string;
  readonly style: Style;
  connection: LineConnection;
  /** IMAP tags of commands without a tagged reply, oldest first. */
  readonly tags: string[];
  tagged: number;
  /** A line that was looked at and belongs to the next step. */
  ahead: string | undefined;
}

const TALK_LINES = 30;

type Connect = Extract<Step, { kind: 'connect' }>;
type Saying = Extract<Step, { kind: 'send' | 'raw' }>;

/** A connection that logs in, as the lines that do it. */
function logIn(step: Connect): readonly Step[] {
  const { line, connection, user, open } = step;
  const send = (text: string): Step => ({ line, kind: 'send', connection, text });
  const expect = (pattern: string): Step => ({ line, kind: 'expect', connection, pattern, times: 1 });
  const opening = open === undefined ? [] : [send(`${open.verb} ${open.mailbox}`), expect('OK ...')];
  if (user === undefined) return [step, ...opening];
  const dialogue = {
    imap: [expect('* OK {*}'), send(`LOGIN "{${user}}" "{${user}.password}"`), expect('OK ...')],
    pop3: [
      ...[expect('+OK{*}'), send(`USER {${user}}`), expect('+OK{*}')],
      ...[send(`PASS {${user}.password}`), expect('+OK{*}')],
    ],
    smtp: [
      ...[expect('220 ...'), send('EHLO client.example'), expect('250 ...')],
      ...[send(`AUTH PLAIN {${user}.plain}`), expect('235 {*}')],
    ],
  };
  return [step, ...dialogue[styleOf(step.door)], ...opening];
}

function styleOf(door: string): Style {
  return door === 'imap' || door === 'pop3' ? door : 'smtp';
}

const isSaying = (step: Step): step is Saying => step.kind === 'send' || step.kind === 'raw';

/** What each connection says last. */
function lastSayings(steps: readonly Step[]): ReadonlySet<Step> {
  const last = new Map<string, Step>();
  const all = new Set<Step>();
  for (const step of steps) {
    if (isSaying(step)) last.set(step.connection, step);
    const isNew = step.kind === 'connect' ? last.get(step.connection) : undefined;
    if (isNew === undefined) continue;
    all.add(isNew);
    last.delete((step as Connect).connection);
  }
  for (const step of last.values()) all.add(step);
  return all;
}

/** The line in the middle of what each connection says: before it nothing else has begun. */
function middleSayings(steps: readonly Step[]): ReadonlySet<Step> {
  const lines = new Map<string, Step[]>();
  for (const [at, step] of steps.entries())
    if (step.kind === 'send' && !isUnfinished(steps, at))
      lines.set(step.connection, [...(lines.get(step.connection) ?? []), step]);
  return new Set([...lines.values()].map((all) => all[Math.floor(all.length / 2)]!));
}

/** Whether what this connection said before has no end yet. */
function isUnfinished(steps: readonly Step[], at: number): boolean {
  const { connection } = steps[at] as Saying;
  const before = steps.slice(0, at).findLast((step) => isSaying(step) && step.connection === connection);
  return before?.kind === 'raw' && !before.text.endsWith('\\r\\n');
}

/** Octets at both ends of what is said that travel alone; what lies between, in a message of a megabyte, does not. */
const SINGLE_OCTETS = 1000;

class Session {
  readonly #target: Target;
  readonly #users: Readonly<Record<string, User>>;
  readonly #captures: Captures = new Map();
  readonly #speakers = new Map<string, Speaker>();
  readonly #talk: string[] = [];
  readonly #steps: readonly Step[];
  readonly #way: Way;
  /** Said ahead of their turn, in one packet. */
  readonly #said = new Set<Step>();
  readonly #lastSayings: ReadonlySet<Step>;
  readonly #middleSayings: ReadonlySet<Step>;
  readonly #halfClosed = new Set<LineConnection>();
  #last = '';

  constructor(target: Target, users: Readonly<Record<string, User>>, steps: readonly Step[], way: Way) {
    this.#target = target;
    this.#users = users;
    this.#steps = steps;
    this.#way = way;
    this.#lastSayings = lastSayings(steps);
    this.#middleSayings = middleSayings(steps);
    this.#captures.set('hostname', target.hostname);
    for (const [name, { login, password }] of Object.entries(users)) {
      this.#captures.set(name, login);
      this.#captures.set(`${name}.password`, password);
      this.#captures.set(`${name}.plain`, Buffer.from(`\0${login}\0${password}`).toString('base64'));
      this.#captures.set(`${name}.scram`, new ScramClient(login, password).first);
    }
  }

  async run(step: Step): Promise<void> {
    switch (step.kind) {
      case 'only':
      case 'not':
      case 'fixture':
        return;
      case 'connect':
        return this.#connect(step);
      case 'send':
      case 'raw':
        return this.#say(step);
      case 'expect':
        for (let i = 0; i < step.times; i++) await this.#expect(this.#speaker(step.connection), step.pattern);
        return;
      case 'anyOrder':
        return this.#anyOrder(this.#speaker(step.connection), step.patterns);
      case 'closed':
        return this.#closed(this.#speaker(step.connection ?? this.#last));
      case 'tls':
        return this.#beginTls(this.#speaker(step.connection));
      case 'end':
        return this.#speaker(step.connection ?? this.#last).connection.end();
      case 'close':
        return this.#speaker(step.connection ?? this.#last).connection.destroy();
      case 'write':
        return this.#target.write!(step.entry, step.attribute, step.value && fill(step.value, this.#captures));
      case 'remove':
        return this.#target.write!(step.entry);
      case 'token':
        return this.#token(step);
      case 'revoke':
        await this.#target.token!(step.user, step.name);
        return;
      case 'prove':
        return this.#prove(step);
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

  async #connect(step: Connect): Promise<void> {
    const door = this.#target.doors[step.door];
    if (door === undefined) throw new Error(`no door ${step.door} at this server`);
    const style = styleOf(step.door);
    const connection = await LineConnection.open(door.host, door.port);
    const speaker: Speaker = { name: step.connection, style, connection, tags: [], tagged: 0, ahead: undefined };
    this.#speakers.get(step.connection)?.connection.destroy();
    this.#speakers.set(step.connection, speaker);
    this.#last = step.connection;
  }

  async #say(step: Saying): Promise<void> {
    if (this.#said.has(step)) return;
    const { connection } = this.#speaker(step.connection);
    if (this.#way === 'exchanged' && this.#middleSayings.has(step)) await this.#exchange(connection);
    const together = this.#way === 'one-packet' ? this.#sayableWith(step) : [step];
    let text = '';
    for (const each of together) {
      text += this.#textOf(each);
      this.#said.add(each);
    }
    if (this.#way === 'octets') await writeOctets(connection, text);
    else connection.write(text);
    if (this.#way !== 'half-closed' || !this.#lastSayings.has(step)) return;
    connection.end();
    this.#halfClosed.add(connection);
  }

  async #beginTls(speaker: Speaker): Promise<void> {
    speaker.connection = await speaker.connection.secured({ servername: 'localhost', ca: this.#target.ca! });
  }

  async #exchange(connection: LineConnection): Promise<void> {
    // It was not sent through the new transport: a third party could have injected it.
    connection.write('z LOGOUT');
    const { change, fromOctet } = await this.#target.exchange!(connection.sent);
    connection.change(change, fromOctet);
  }

  /** It, and what its connection says before another acts, or before it needs something from an answer. */
  #sayableWith(step: Saying): readonly Saying[] {
    const together: Saying[] = [];
    for (const next of this.#steps.slice(this.#steps.indexOf(step))) {
      if (!('connection' in next) || next.connection !== step.connection) break;
      if (next.kind === 'expect' || next.kind === 'anyOrder') continue;
      if (!isSaying(next) || !isKnown(next.text, this.#captures)) break;
      together.push(next);
    }
    return together;
  }

  #textOf({ kind, connection, text }: Saying): string {
    const speaker = this.#speaker(connection);
    const filled = fill(text, this.#captures);
    this.#note(connection, kind === 'send' ? '>' : '|', kind === 'send' ? filled : text);
    if (kind === 'raw') return unescapeRaw(filled);
    if (speaker.style !== 'imap') return `${filled}\r\n`;
    const tag = `a${String(++speaker.tagged).padStart(3, '0')}`;
    speaker.tags.push(tag);
    return `${tag} ${filled}\r\n`;
  }

  /** Who has said all is shown out. */
  async finish(): Promise<void> {
    for (const connection of this.#halfClosed) await connection.untilClosed(this.#target.waitMs);
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

  async #token({ user, name, scopes }: Extract<Step, { kind: 'token' }>): Promise<void> {
    const token = await this.#target.token!(user, name, scopes);
    this.#captures.set(name, token);
    this.#captures.set(`${name}.plain`, Buffer.from(`\0${this.#user(user).login}\0${token}`).toString('base64'));
  }

  #prove({ user, challenge }: Extract<Step, { kind: 'prove' }>): void {
    const { login, password } = this.#user(user);
    const client = new ScramClient(login, password);
    this.#captures.set('proof', client.last(fill(`{${challenge}}`, this.#captures)));
    this.#captures.set('verifier', client.verifier);
  }

  async #mailbox(user: User, mailbox: string, messages: number): Promise<void> {
    const door = this.#target.doors['imap'];
    if (door === undefined) throw new Error('no door imap to look into the mailbox');
    const connection = await LineConnection.open(door.host, door.port);
    try {
      await connection.line();
      connection.write(`a LOGIN "${user.login}" "${user.password}"\r\n`);
      await until(connection, 'a ');
      const deadline = Date.now() + 120_000;
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

/** Each octet in a packet of its own, as far as the kernel lets us. */
async function writeOctets(connection: LineConnection, text: string): Promise<void> {
  const end = Math.max(SINGLE_OCTETS + 1, text.length - SINGLE_OCTETS);
  for (let at = 0; at < text.length; ) {
    const next = at === SINGLE_OCTETS ? end : at + 1;
    connection.write(text.slice(at, next));
    at = next;
    await new Promise((turn) => setImmediate(turn));
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
