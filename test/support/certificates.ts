// Certificates for tests, made by openssl: an authority that nobody else knows, and what it signs.
//
// In      host names, addresses of hosts and of people
// Out     PEM texts; files of them in a temporary directory that goes with the process

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Identity {
  readonly key: string;
  readonly cert: string;
  readonly keyFile: string;
  readonly certFile: string;
}

export class TestAuthority {
  readonly #directory = mkdtempSync(join(tmpdir(), 'waypost-authority-'));
  #issued = 0;
  /** PEM. */
  readonly file = join(this.#directory, 'ca.pem');

  constructor() {
    process.once('exit', () => rmSync(this.#directory, { recursive: true, force: true }));
    this.#request('ca', ['-subj', '/CN=An authority of tests']);
  }

  /** A certificate for these names and addresses. */
  issue(...names: readonly string[]): Identity {
    const base = `issued-${++this.#issued}`;
    const alternatives = names.map((name) => `${kindOf(name)}:${name}`).join(',');
    const signed = ['-CA', this.file, '-CAkey', join(this.#directory, 'ca.key')];
    this.#request(base, [...signed, '-subj', `/CN=${names[0]}`, '-addext', `subjectAltName=${alternatives}`]);
    const keyFile = join(this.#directory, `${base}.key`);
    const certFile = join(this.#directory, `${base}.pem`);
    return { keyFile, certFile, key: readFileSync(keyFile, 'latin1'), cert: readFileSync(certFile, 'latin1') };
  }

  #request(base: string, more: readonly string[]): void {
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const files = ['-keyout', join(this.#directory, `${base}.key`), '-out', join(this.#directory, `${base}.pem`)];
    execFileSync('openssl', ['req', '-x509', '-days', '30', ...newKey, ...files, ...more], { stdio: 'pipe' });
  }
}

function kindOf(name: string): string {
  if (name.includes('@')) return 'email';
  return isIP(name) === 0 ? 'DNS' : 'IP';
}
