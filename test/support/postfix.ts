// A private Postfix for tests, as Debian ships it: one port of 127.0.0.1, mail of one domain into one file, no chroot.
//
// In      settings of main.cf beside these
// Out     where it listens; what it has delivered, as text
// Never   touches the system's own instance; outlives its stop()
// Needs   root: its parts run as other users

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, takesConnections } from './free-ports.ts';
import { peer } from './peers.ts';

const DOMAIN = 'peer.example';
/** Who owns the delivered mail; needs no line in /etc/passwd. */
const MAIL_UID = 5000;
const START_MS = 120_000;

export class Postfix {
  readonly #directory: string;
  readonly port: number;
  readonly domain = DOMAIN;

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.port = port;
  }

  static async start(settings: Readonly<Record<string, string>>, onPort?: number): Promise<Postfix> {
    const directory = mkdtempSync(join(tmpdir(), 'waypost-postfix-'));
    chmodSync(directory, 0o755);
    const port = onPort ?? (await freePort());
    for (const name of ['etc', 'queue', 'data', 'mail']) mkdirSync(join(directory, name));
    chownSync(join(directory, 'data'), userId('postfix'), userId('postfix'));
    chownSync(join(directory, 'mail'), MAIL_UID, MAIL_UID);
    const etc = join(directory, 'etc');
    const all = { ...mainSettings(directory), ...settings };
    writeFileSync(
      join(etc, 'main.cf'),
      Object.entries(all)
        .map(([key, value]) => `${key} = ${value}\n`)
        .join(''),
    );
    writeFileSync(join(etc, 'master.cf'), services(port));
    for (const name of ['dynamicmaps.cf', 'dynamicmaps.cf.d', 'postfix-files', 'postfix-files.d'])
      if (existsSync(`/etc/postfix/${name}`)) cpSync(`/etc/postfix/${name}`, join(etc, name), { recursive: true });
    const postfix = new Postfix(directory, port);
    try {
      postfix.#run('start');
      await postfix.#ready();
    } catch (error) {
      const log = postfix.log();
      postfix.stop();
      throw new Error(`Postfix does not start: ${error}\n${log}`);
    }
    return postfix;
  }

  get #logFile(): string {
    return join(this.#directory, 'maillog');
  }

  /** What it has logged so far. */
  log(): string {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8') : '';
  }

  #run(verb: 'start' | 'stop'): void {
    execFileSync(peer('postfix').path, ['-c', join(this.#directory, 'etc'), verb], { stdio: 'pipe' });
  }

  async #ready(): Promise<void> {
    const until = performance.now() + START_MS;
    while (!(await takesConnections(this.port))) {
      if (performance.now() > until) throw new Error(`nothing listens on ${this.port}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** All that has been delivered so far. */
  delivered(): string {
    const file = join(this.#directory, 'mail/all');
    return existsSync(file) ? readFileSync(file, 'latin1') : '';
  }

  stop(): void {
    try {
      this.#run('stop');
    } catch {
      // It does not run.
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function mainSettings(directory: string): Readonly<Record<string, string>> {
  return {
    compatibility_level: '3.6',
    queue_directory: join(directory, 'queue'),
    data_directory: join(directory, 'data'),
    meta_directory: join(directory, 'etc'),
    maillog_file: join(directory, 'maillog'),
    maillog_file_prefixes: directory,
    inet_interfaces: '127.0.0.1',
    inet_protocols: 'ipv4',
    myhostname: `mx.${DOMAIN}`,
    mydestination: '',
    mynetworks: '127.0.0.0/8',
    alias_maps: '',
    alias_database: '',
    smtpd_relay_restrictions: 'reject_unauth_destination',
    virtual_mailbox_domains: DOMAIN,
    virtual_mailbox_base: join(directory, 'mail'),
    virtual_mailbox_maps: 'static:all',
    virtual_uid_maps: `static:${MAIL_UID}`,
    virtual_gid_maps: `static:${MAIL_UID}`,
    smtpd_tls_received_header: 'yes',
  };
}

/** The services that taking and delivering mail needs, without chroot: a private directory holds no files for one. */
function services(port: number): string {
  const lines = [
    `127.0.0.1:${port} inet n - n - - smtpd`,
    'pickup unix n - n 60 1 pickup',
    'cleanup unix n - n - 0 cleanup',
    'qmgr unix n - n 300 1 qmgr',
    'tlsmgr unix - - n 1000? 1 tlsmgr',
    'rewrite unix - - n - - trivial-rewrite',
    'bounce unix - - n - 0 bounce',
    'defer unix - - n - 0 bounce',
    'trace unix - - n - 0 bounce',
    'flush unix n - n 1000? 0 flush',
    'proxymap unix - - n - - proxymap',
    'smtp unix - - n - - smtp',
    'lmtp unix - - n - - lmtp',
    'showq unix n - n - - showq',
    'error unix - - n - - error',
    'retry unix - - n - - error',
    'virtual unix - n n - - virtual',
    'anvil unix - - n - 1 anvil',
    'scache unix - - n - 1 scache',
    'postlog unix-dgram n - n - 1 postlogd',
  ];
  return `${lines.join('\n')}\n`;
}

function userId(name: string): number {
  return Number(execFileSync('id', ['-u', name], { encoding: 'utf8' }));
}
