// The sources that are mirrored, as the entries below ou=Sources say: begun, changed and ended with them.
//
// In      those entries, read again after each commit that changes one
// Out     one SourceMirror each (hold `mirror`)
// Limits  SOURCES_MAX

import { Failure } from '../../base/failure.ts';
import type { Reader } from '../../database/operation.ts';
import { children, findEntry } from '../../directory/entries.ts';
import { containerDn } from '../../routing/containers.ts';
import { type LdapSource, ldapSourceOf } from '../ldap-source.ts';
import { type MirrorParts, type MirrorStatus, SourceMirror } from './source-mirror.ts';

const SOURCES_MAX = 1000;

export function ldapSources(reader: Reader): LdapSource[] {
  const container = findEntry(reader, containerDn('sources'));
  if (container === undefined) return [];
  return children(reader, container.id, SOURCES_MAX).flatMap((entry) => ldapSourceOf(entry) ?? []);
}

export class Mirrors {
  readonly #parts: MirrorParts;
  readonly #mirrors = new Map<string, SourceMirror>();
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
    for (const source of ldapSources(this.#parts.reader)) if (source.hold === 'mirror') wanted.set(source.name, source);
    for (const [name, mirror] of this.#mirrors) {
      if (JSON.stringify(wanted.get(name)) === JSON.stringify(mirror.source)) continue;
      this.#mirrors.delete(name);
      await mirror.stop();
    }
    for (const [name, source] of wanted)
      if (!this.#mirrors.has(name)) this.#mirrors.set(name, new SourceMirror(this.#parts, source));
  }

  status(): MirrorStatus[] {
    return [...this.#mirrors.values()].map((mirror) => mirror.status());
  }

  acceptRemovals(name: string): void {
    const mirror = this.#mirrors.get(name);
    if (mirror === undefined) throw new Failure('not-found', `${name} is not a source that is mirrored here`);
    mirror.acceptRemovals();
  }

  async stop(): Promise<void> {
    await this.#reading;
    await Promise.all([...this.#mirrors.values()].map((mirror) => mirror.stop()));
    this.#mirrors.clear();
  }
}
