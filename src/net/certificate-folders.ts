// Certificates in folders, as certbot and others leave them: each subfolder with `fullchain.pem` and `privkey.pem` is one.
//
// In      directories; a look at them whenever the caller likes
// Out     what can be served; what was refused and why; whether a look has changed anything
// States  a folder: served -> (its files are bad) served as before and refused -> (they are good) served; gone with its folder
// Errors  none: what cannot be read is refused, with a reason, and what it was before stays
// Limits  FOLDERS_MAX subfolders of a directory, FILE_BYTES a file; files that have not changed are not read again
// Links are followed: `live/NAME/privkey.pem` is one.

import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { asFailure, Failure } from '../base/failure.ts';
import type { ServedCertificate } from './certificate-choice.ts';
import { readCertificate } from './certificates.ts';
import { errorCode } from './listen.ts';

const FOLDERS_MAX = 10_000;
const FILE_BYTES = 256 * 1024;

export interface RefusedCertificate {
  /** The folder, or the directory that could not be read. */
  readonly source: string;
  readonly reason: string;
}

interface Folder {
  /** Of the files that were judged last, good or bad. */
  readonly signature: string;
  readonly certificate: ServedCertificate | undefined;
  readonly reason: string | undefined;
}

export class CertificateFolders {
  readonly #directories: readonly string[];
  #folders = new Map<string, Folder>();
  /** Directories that could not be read. */
  #unread = new Map<string, string>();

  constructor(directories: readonly string[]) {
    this.#directories = directories;
  }

  get served(): readonly ServedCertificate[] {
    return [...this.#folders.values()].flatMap(({ certificate }) => (certificate === undefined ? [] : [certificate]));
  }

  get refused(): readonly RefusedCertificate[] {
    const folders = [...this.#folders].flatMap(([source, { reason }]) =>
      reason === undefined ? [] : [{ source, reason }],
    );
    return [...[...this.#unread].map(([source, reason]) => ({ source, reason })), ...folders];
  }

  /** True: what is served is not what it was. */
  async look(now: number): Promise<boolean> {
    const before = this.served;
    const folders = new Map<string, Folder>();
    const unread = new Map<string, string>();
    for (const directory of this.#directories) {
      let names: string[];
      try {
        names = (await readdir(directory)).toSorted().slice(0, FOLDERS_MAX);
      } catch (error) {
        unread.set(directory, `cannot be read (${errorCode(error)})`);
        // Its folders are there still, for all that is known.
        for (const [source, folder] of this.#folders)
          if (source.startsWith(join(directory, '/'))) folders.set(source, folder);
        continue;
      }
      for (const name of names) {
        const source = join(directory, name);
        const folder = await this.#folder(source, now);
        if (folder !== undefined) folders.set(source, folder);
      }
    }
    this.#folders = folders;
    this.#unread = unread;
    const { served } = this;
    return served.length !== before.length || served.some((certificate, i) => certificate !== before[i]);
  }

  /** Undefined for what is no folder with a certificate. */
  async #folder(source: string, now: number): Promise<Folder | undefined> {
    const known = this.#folders.get(source);
    let signature = '';
    try {
      const chain = await fileOf(source, 'fullchain.pem');
      const key = await fileOf(source, 'privkey.pem');
      // A README beside the folders, a folder of something else, or one that is gone.
      if (chain.isMissing && key.isMissing && (known?.certificate === undefined || !(await isFolder(source))))
        return undefined;
      signature = `${chain.signature} ${key.signature}`;
      if (known?.signature === signature) return known;
      const certificate = readCertificate(source, await chain.read(), await key.read(), now);
      return { signature, certificate, reason: undefined };
    } catch (error) {
      return { signature, certificate: known?.certificate, reason: asFailure(error).message };
    }
  }
}

interface File {
  readonly isMissing: boolean;
  /** Another one when the file is another, or has been written to. */
  readonly signature: string;
  /** Throws Failure `invalid` with the reason. */
  read(): Promise<string>;
}

async function fileOf(folder: string, name: string): Promise<File> {
  const unreadable = (why: string): Failure => new Failure('invalid', `${name} ${why}`);
  const path = join(folder, name);
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return {
      isMissing: false,
      signature: [dev, ino, size, mtimeNs, ctimeNs].join(':'),
      async read() {
        if (size > FILE_BYTES) throw unreadable('is too large');
        return readFile(path, 'utf8').catch((error: unknown) => {
          throw unreadable(`cannot be read (${errorCode(error)})`);
        });
      },
    };
  } catch (error) {
    const code = errorCode(error);
    return {
      isMissing: code === 'ENOENT' || code === 'ENOTDIR',
      signature: code,
      read: () => Promise.reject(unreadable(code === 'ENOENT' ? 'is missing' : `cannot be read (${code})`)),
    };
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
