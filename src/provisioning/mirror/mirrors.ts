// The sources of entries, as those below ou=Sources say: begun, changed and ended with them.
//
// In      those entries, read again after each commit that changes one; questions
// Out     one SourceMirror each (hold `mirror`), and one SourceQuestions whatever its hold; the answers
// Limits  SOURCES_MAX

import { Failure } from '../../base/failure.ts';
import type { Reader } from '../../database/operation.ts';
import { parseDn } from '../../directory/dn.ts';
import { children, findEntry } from '../../directory/entries.ts';
import type { DirectoryChange } from '../../directory/entry.ts';
import type { AuthorityQuestion } from '../../directory/source/authority.ts';
import { containerDn } from '../../routing/containers.ts';
import { type LdapSource, ldapSourceOf } from '../ldap-source.ts';
import { type MirrorParts, type MirrorStatus, SourceMirror } from './source-mirror.ts';
import { SourceQuestions } from './source-questions.ts';

const SOURCES_MAX = 1000;

export function ldapSources(reader: Reader): LdapSource[] {
  const container = findEntry(reader, containerDn('sources'));
  if (container === undefined) return [];
  return children(reader, container.id, SOURCES_MAX).flatMap((entry) => ldapSourceOf(entry) ?? []);
}

export class Mirrors {
  readonly #parts: MirrorParts;
  readonly #mirrors = new Map<string, SourceMirror>();
  readonly #questions = new Map<string, SourceQuestions>();
  /** One reading behind the other: who is replaced has ended first. */
  #reading: Promise<void> = Promise.resolve();

  constructor(parts: MirrorParts) {
    this.#parts = parts;
  }

  read(): void {
    this.#reading = this.#reading.then(() => this.#read());
  }

  async #read(): Promise<void> {
    const wanted = new Map<string, LdapSource>();
    const sources = ldapSources(this.#parts.reader);
    for (const source of sources) if (source.hold === 'mirror') wanted.set(source.name, source);
    for (const [name, questions] of this.#questions) {
      if (sources.some((source) => JSON.stringify(source) === JSON.stringify(questions.source))) continue;
      this.#questions.delete(name);
      void questions.stop();
    }
    for (const source of sources)
      if (!this.#questions.has(source.name)) this.#questions.set(source.name, new SourceQuestions(this.#parts, source));
    for (const [name, mirror] of this.#mirrors) {
      if (JSON.stringify(wanted.get(name)) === JSON.stringify(mirror.source)) continue;
      this.#mirrors.delete(name);
      await mirror.stop();
    }
    for (const [name, source] of wanted)
      if (!this.#mirrors.has(name)) this.#mirrors.set(name, new SourceMirror(this.#parts, source));
  }

  status(): MirrorStatus[] {
    return [...this.#questions].map(([name, questions]) => {
      const mirror = this.#mirrors.get(name);
      if (mirror === undefined) return questions.status();
      const status = mirror.status();
      return { ...status, searches: status.searches + questions.searches };
    });
  }

  /** See SourceQuestions. Of groups all sources are asked that have some. Throws 'unavailable' where none has the say any more. */
  async ask(question: AuthorityQuestion, isKnown: boolean): Promise<number | undefined> {
    await this.#reading;
    const asked = this.#askedOf(question).map((each) => each.ask(question, isKnown));
    const lefts = await Promise.all(asked);
    return lefts.reduce((least, left) => least && left && Math.min(least, left));
  }

  async binds(dn: string, password: Uint8Array): Promise<boolean> {
    await this.#reading;
    return this.#askedOf({ dn: parseDn(dn).normalized })[0]!.binds(dn, password);
  }

  async forward(change: DirectoryChange): Promise<void> {
    await this.#reading;
    return this.#askedOf({ dn: parseDn(change.dn).normalized })[0]!.forward(change);
  }

  /** At least one. */
  #askedOf(question: AuthorityQuestion): readonly SourceQuestions[] {
    const found = [...this.#questions.values()].filter((each) => each.hasSayOver(question));
    if (found.length === 0) throw new Failure('unavailable', 'No source has the say over this any more, try again');
    return 'groupsOf' in question ? found : found.slice(0, 1);
  }

  acceptRemovals(name: string): void {
    const mirror = this.#mirrors.get(name);
    if (mirror === undefined) throw new Failure('not-found', `${name} is not a source that is mirrored here`);
    mirror.acceptRemovals();
  }

  async stop(): Promise<void> {
    await this.#reading;
    await Promise.all([...this.#mirrors.values()].map((mirror) => mirror.stop()));
    await Promise.all([...this.#questions.values()].map((questions) => questions.stop()));
    this.#mirrors.clear();
    this.#questions.clear();
  }
}
