// The files of the certificate that needs nobody's doing: `tls/ca.pem`, `tls/ca-key.pem`, `tls/local/`.
//
// In      the data directory, the names that the certificate must have
// Out     the certificate, made anew where it is missing, unreadable, has other names, or has less than RENEW_DAYS left
// States  authority missing -> made; it is kept as long as it outlives what it signs
// Errors  `full` for a disk without space, `denied` for files that may not be written: what was there stays
// A file is written under another name, synced and renamed, the key before its certificate: whatever a crash leaves is whole,
// and a pair that does not match is made anew.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { hostname as machineName } from 'node:os';
import { dirname, join } from 'node:path';
import { DAY_MS } from '../base/duration.ts';
import { Failure } from '../base/failure.ts';
import { normalizeDomain } from '../message/address.ts';
import type { ServedCertificate } from '../net/certificate-choice.ts';
import { readCertificate } from '../net/certificates.ts';
import { type MadeCertificate, makeAuthority, makeCertificate } from '../net/local-certificate.ts';
import { tlsPath } from './paths.ts';

/** A chain beyond 100 KiB is refused by clients. Further virtual servers need a certificate of their own. */
export const LOCAL_NAMES_MAX = 1000;

const RENEW_DAYS = 30;
/** An authority that ends before what it would sign. */
const AUTHORITY_RENEW_DAYS = 400;
const ADDRESSES = ['127.0.0.1', '::1'];

/** Every name that a client on this machine or of a virtual server may ask for. */
export function localNames(hostnames: readonly string[], serverNames: readonly string[]): readonly string[] {
  const machine = normalizeDomain(machineName());
  const names = [...hostnames, ...(machine === undefined ? [] : [machine]), 'localhost', ...serverNames];
  return [...new Set(names)].slice(0, LOCAL_NAMES_MAX);
}

/** `made` says whether it is another one than before; `isOtherAuthority`: clients trust one that is gone. */
export async function localCertificate(
  data: string,
  names: readonly string[],
  now: number,
): Promise<{ readonly certificate: ServedCertificate; readonly made: boolean; readonly isOtherAuthority: boolean }> {
  const folder = tlsPath(data);
  const files = {
    authority: join(folder, 'ca.pem'),
    authorityKey: join(folder, 'ca-key.pem'),
    chain: join(folder, 'local', 'fullchain.pem'),
    key: join(folder, 'local', 'privkey.pem'),
  };
  const [authority, authorityKey, chain, key] = await Promise.all([
    text(files.authority),
    text(files.authorityKey),
    text(files.chain),
    text(files.key),
  ]);
  const present = usable({ authority, chain, key }, names, now);
  if (present !== undefined) return { certificate: present, made: false, isOtherAuthority: false };
  const hadFiles = await hasFiles(folder);
  try {
    const kept = usableAuthority(authority, authorityKey, now);
    let signer = kept;
    if (signer === undefined) {
      signer = await makeAuthority(names[0]!, now);
      await write(files.authorityKey, signer.key, 0o600);
      await write(files.authority, signer.certificate, 0o644);
    }
    const made = await makeCertificate(signer, { dns: names, ip: ADDRESSES }, now);
    await write(files.key, made.key, 0o600);
    await write(files.chain, made.certificate, 0o644);
    return {
      certificate: readCertificate(LOCAL, made.certificate, made.key, now),
      made: true,
      isOtherAuthority: kept === undefined && hadFiles,
    };
  } catch (error) {
    throw notWritten(folder, error);
  }
}

/** Of an authority before, whatever they hold. */
async function hasFiles(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch((): string[] => []);
  return names.includes('ca.pem') || names.includes('ca-key.pem');
}

/** The source of the local certificate, beside the folders of the others. */
const LOCAL = 'local';

function usable(
  files: { readonly authority: string; readonly chain: string; readonly key: string },
  names: readonly string[],
  now: number,
): ServedCertificate | undefined {
  try {
    const authority = new X509Certificate(files.authority);
    const certificate = readCertificate(LOCAL, files.chain, files.key, now);
    const isOurs = new X509Certificate(files.chain).verify(authority.publicKey);
    const isFresh = certificate.notAfter - now > RENEW_DAYS * DAY_MS && certificate.notBefore <= now;
    const has = new Set(certificate.names);
    return isOurs && isFresh && has.size === names.length && names.every((name) => has.has(name))
      ? certificate
      : undefined;
  } catch {
    return undefined;
  }
}

function usableAuthority(certificate: string, key: string, now: number): MadeCertificate | undefined {
  try {
    const authority = new X509Certificate(certificate);
    const left = authority.validToDate.getTime() - now;
    return authority.checkPrivateKey(createPrivateKey(key)) && left > AUTHORITY_RENEW_DAYS * DAY_MS
      ? { certificate, key }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Nothing for a file that cannot be read: it is made anew. */
async function text(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

async function write(path: string, content: string, mode: number): Promise<void> {
  const fresh = `${path}.new`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  // One that a crash has left may have another mode.
  await rm(fresh, { force: true });
  const file = await open(fresh, 'wx', mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(fresh, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function notWritten(folder: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') return new Failure('full', `${folder}: no space left on the device`);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return new Failure('denied', `${folder} may not be written by this user`);
  return code === undefined ? error : new Failure('unavailable', `${folder} cannot be written (${String(code)})`);
}
