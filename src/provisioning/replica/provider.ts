// The server whose directory this one follows, as it is asked and told: how far it is, and what is to change.
//
// In      questions, of sources too; changes that operations here have recorded
// Out     its newest revision; what a change has become, after its commit there
// Order   a question that is put while one is on its way waits for the next: an answer is of a moment after the question
// States  connected when something is asked; one that cannot be had is tried again AGAIN_MS later, where something is asked then
// Errors  `unavailable` where it is not there, is silent or refuses us; a change that it refuses fails as it says

import { Failure } from '../../base/failure.ts';
import { idOf, type Revision } from '../../base/ids.ts';
import { valueOfJson } from '../../base/json-extent.ts';
import { LDAP_SERVER_MESSAGE_BYTES, SERVER_CHANGES_MAX } from '../../base/limits.ts';
import type { Caller } from '../../directory/caller.ts';
import { parseCsn } from '../../directory/csn.ts';
import type { DirectoryChange } from '../../directory/entry.ts';
import { directoryFailure, isDirectoryResult } from '../../directory/failure.ts';
import { changeRecord } from '../../directory/ldif-text.ts';
import { LdapConnection, type LdapServers, resultText } from '../../directory/source/connection.ts';
import {
  encodeQuestion,
  type HandedAnswer,
  type HandedQuestion,
  parseAnswer,
} from '../../directory/source/handed-question.ts';
import { firstSuffix } from '../../directory/suffix.ts';
import { controlOf } from '../../wire/ldap/controls/codec.ts';
import { proxiedAuthorization } from '../../wire/ldap/controls/proxied-authorization.ts';
import { ASK_SOURCE } from '../../wire/ldap/extended/ask-source.ts';
import { CHANGE_LIST } from '../../wire/ldap/extended/change-list.ts';
import { parseFilter } from '../../wire/ldap/filter-text.ts';
import type { LdapResult } from '../../wire/ldap/result.ts';
import { resultCodes, resultName } from '../../wire/ldap/result-codes.ts';
import type { EntrySummary } from '../change.ts';

/** A list of one caller, as it crosses threads. */
export interface HandedList {
  readonly caller: Caller;
  readonly changes: readonly DirectoryChange[];
}

/** What the provider has done. */
export interface HandedOutcome {
  readonly revision: Revision;
  readonly entries: readonly Pick<EntrySummary, 'kind' | 'dn' | 'generated'>[];
}

/** Of a change: who gives up sooner says that nothing has happened, and it may be committed there all the same. */
const CHANGE_MS = 60_000;
/** Of a message, beside the list of changes. */
const FRAME_BYTES = 64 * 1024;
const AT_FIRST = 'make them in several commits, or at the server that is followed';
/** It gives up a silent source before: 60 s at the most (server/source-calls.ts). */
const SOURCE_MS = 65_000;
/** Meanwhile who asks gets the failure of the last try. */
const AGAIN_MS = 1000;
const ANY = parseFilter('(objectClass=*)');

/** One connection, opened when it is needed, and shared by all who need it. */
class Line {
  readonly #servers: LdapServers;
  #opening: Promise<LdapConnection> | undefined;

  constructor(servers: LdapServers) {
    this.#servers = servers;
  }

  open(): Promise<LdapConnection> {
    if (this.#opening !== undefined) return this.#opening;
    const opening = LdapConnection.open(this.#servers);
    const forget = (): void => {
      if (this.#opening === opening) this.#opening = undefined;
    };
    opening.then(
      (connection) => connection.whenClosed(forget),
      () => setTimeout(forget, AGAIN_MS).unref(),
    );
    this.#opening = opening;
    return opening;
  }

  close(): void {
    this.#opening?.then(
      (connection) => connection.close(),
      () => {},
    );
  }
}

export class Provider {
  readonly #servers: LdapServers;
  readonly #questions: Line;
  /** Apart: a question that gets no answer in time ends its connection. */
  readonly #changes: Line;
  /** A source may be silent for long, and others' changes do not wait for it. */
  readonly #sources: Line;
  #asking: Promise<Revision> | undefined;
  #next: Promise<Revision> | undefined;

  constructor(servers: LdapServers) {
    this.#servers = servers;
    this.#questions = new Line(servers);
    this.#changes = new Line(servers);
    this.#sources = new Line(servers);
  }

  /** The name that it has, and its first suffix. */
  async names(): Promise<{ readonly hostname: string; readonly suffix: string }> {
    const [hostname] = await this.#values('', 'dnsHostName');
    const [suffix] = await this.#values('', 'namingContexts');
    if (hostname === undefined || suffix === undefined)
      throw new Failure('invalid', `${this.#servers.urls[0]} is no Waypost that can be followed`);
    return { hostname, suffix };
  }

  /** Its newest revision, read after this call. */
  revision(): Promise<Revision> {
    if (this.#asking === undefined) return this.#ask();
    this.#next ??= this.#asking.then(
      () => this.#askNext(),
      () => this.#askNext(),
    );
    return this.#next;
  }

  /** Resolves after its commit. */
  async handOn({ caller, changes }: HandedList): Promise<HandedOutcome> {
    const value = Buffer.from(changes.map((change) => changeRecord(change)).join('\n'), 'utf8');
    if (changes.length > SERVER_CHANGES_MAX || value.length > LDAP_SERVER_MESSAGE_BYTES - FRAME_BYTES)
      throw new Failure('too-large', `More than ${SERVER_CHANGES_MAX} changes, or too long ones: ${AT_FIRST}`);
    const connection = await this.#changes.open();
    const identity = identityOf(caller);
    const controls = identity === undefined ? [] : [controlOf(proxiedAuthorization, identity, true)];
    const { result, value: answer } = await connection.request(
      { kind: 'extended', name: CHANGE_LIST, value },
      { controls, silenceMs: CHANGE_MS },
    );
    if (result.resultCode !== resultCodes.success) throw failureOf(result);
    return outcomeOf(answer);
  }

  /** Throws what it has met with the source. */
  async askSource(question: HandedQuestion): Promise<HandedAnswer> {
    const connection = await this.#sources.open();
    const { result, value } = await connection.request(
      { kind: 'extended', name: ASK_SOURCE, value: encodeQuestion(question) },
      { silenceMs: SOURCE_MS },
    );
    if (result.resultCode !== resultCodes.success)
      throw new Failure('unavailable', 'The server that is followed asks no source', { detail: resultText(result) });
    return parseAnswer(value ?? new Uint8Array());
  }

  close(): void {
    for (const line of [this.#questions, this.#changes, this.#sources]) line.close();
  }

  #askNext(): Promise<Revision> {
    this.#next = undefined;
    return this.#ask();
  }

  #ask(): Promise<Revision> {
    const asking = this.#read().finally(() => {
      if (this.#asking === asking) this.#asking = undefined;
    });
    this.#asking = asking;
    return asking;
  }

  async #read(): Promise<Revision> {
    const [csn] = await this.#values(firstSuffix(), 'contextCSN');
    const position = csn === undefined ? undefined : parseCsn(csn);
    if (position === undefined)
      throw new Failure('unavailable', 'The server that is followed does not say how far it is');
    return position.revision;
  }

  async #values(baseObject: string, attribute: string): Promise<string[]> {
    const connection = await this.#questions.open();
    const values: string[] = [];
    const search = connection.search({ baseObject, scope: 'base', filter: ANY, attributes: [attribute] });
    for await (const item of search)
      if (item.kind === 'entry')
        for (const each of item.entry.attributes) for (const value of each.values) values.push(String(value));
    return values;
  }
}

/** Undefined: the list is this server's own. */
function identityOf(caller: Caller): string | undefined {
  switch (caller.kind) {
    case 'server':
      return undefined;
    case 'anonymous':
      return 'dn:';
    default:
      return `dn:${caller.dn}`;
  }
}

function failureOf(result: LdapResult): Failure {
  const { resultCode, diagnosticMessage: text, matchedDn } = result;
  const name = resultName(resultCode);
  if (name === undefined || !isDirectoryResult(name))
    return new Failure('unavailable', 'The server that is followed does not take the change', {
      detail: resultText(result),
    });
  return directoryFailure(name, text, matchedDn === '' ? {} : { matchedDn });
}

function outcomeOf(answer: Uint8Array | undefined): HandedOutcome {
  try {
    const { revision, entries } = valueOfJson(answer ?? new Uint8Array()) as {
      revision: number;
      entries: readonly { change: EntrySummary['kind']; dn: string; generated: boolean }[];
    };
    return {
      revision: idOf(revision),
      entries: entries.map(({ change, dn, generated }) => ({ kind: change, dn, generated })),
    };
  } catch (error) {
    throw new Failure('unavailable', 'The server that is followed gives no answer that can be read', { cause: error });
  }
}
