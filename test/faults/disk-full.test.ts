// A full disk: every door says "no space, later" in its own words, reads go on, and it is over when there is space again.
//
// On a small tmpfs of its own, which needs root. RFC 5321 §4.2.2 (452), RFC 3501 §7.1 (NO), RFC 4511 appendix A.2 (52, 51)

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Client, ResultCodeError } from 'ldapts';
import { ImapClient, ImapRefusal } from '../../src/demo/clients/imap-client.ts';
import { SmtpClient, SmtpRefusal } from '../../src/demo/clients/smtp-client.ts';
import { StartFailure } from '../../src/estate/server-child.ts';
import { addUser, administrator, type Person, populate } from '../support/directory.ts';
import { tmpfsMissing } from '../support/peers.ts';
import { startWaypost, type Waypost } from '../support/server.ts';
import { until } from '../support/until.ts';

const skip = tmpfsMissing();
const SIZE_MIB = 48;

/** Takes all space there is, and gives it back. */
class Filler {
  readonly #path: string;

  constructor(folder: string) {
    this.#path = join(folder, 'filler');
  }

  fill(): void {
    const file = openSync(this.#path, 'a');
    const block = Buffer.alloc(64 * 1024);
    try {
      for (const size of [block.length, 4096]) {
        try {
          for (;;) writeSync(file, block, 0, size);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        }
      }
    } finally {
      closeSync(file);
    }
  }

  /** A little of it, to be given back when the rest is full. */
  take(bytes: number): void {
    writeFileSync(this.#path, Buffer.alloc(bytes));
  }

  free(): void {
    rmSync(this.#path, { force: true });
  }
}

/** A message as large as the others; its status. */
function submitByHttp(server: Waypost, { login, password }: Person): Promise<number> {
  const { host, port } = server.listeners.https;
  const message = { from: login, to: login, text: text(300_000).toString() };
  return new Promise((resolve, reject) =>
    request(
      {
        ...{ host, port, path: '/v1/messages', method: 'POST', auth: `${login}:${password}` },
        ca: readFileSync(join(server.data, 'tls/ca.pem')),
        servername: 'localhost',
      },
      (response) => {
        response.resume();
        resolve(response.statusCode!);
      },
    )
      .on('error', reject)
      .end(JSON.stringify(message)),
  );
}

const text = (size: number): Buffer => Buffer.from(`Subject: full\r\n\r\n${'x'.repeat(70)}\r\n`.padEnd(size, 'y'));

describe('a full disk', { skip }, () => {
  let mount = '';
  let server: Waypost;
  let ann: Person;
  let ldap: Client;
  let filler: Filler;

  before(async () => {
    if (skip !== false) return;
    mount = mkdtempSync(join(tmpdir(), 'waypost-full-'));
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_MIB}m`, 'tmpfs', mount], {
      encoding: 'utf8',
    });
    assert.equal(mounted.status, 0, mounted.stderr);
    const data = join(mount, 'data');
    mkdirSync(data);
    filler = new Filler(mount);
    server = await startWaypost({ data, env: { WAYPOST_LOG: 'warn' } });
    [ann] = (await populate(server, 'acme.example', ['ann'])) as [Person];
    ldap = await administrator(server);
  });
  after(async () => {
    await ldap?.unbind().catch(() => {});
    await server?.stop();
    if (mount !== '') spawnSync('umount', [mount]);
    if (mount !== '') rmSync(mount, { recursive: true, force: true });
  });

  test('452 at SMTP, NO at IMAP, 52 or 51 at LDAP, on connections that go on; then all of it works again', async () => {
    const smtp = await SmtpClient.open(server.listeners.smtp);
    const imap = await ImapClient.login(server.listeners.imap, ann.login, ann.password);
    await smtp.send('carol@remote.example', [ann.login], text(2000));
    filler.fill();
    // More than once: what little was in reserve is used up.
    for (let i = 0; i < 3; i++) {
      const refusal = await refused(smtp.send('carol@remote.example', [ann.login], text(300_000)));
      assert.equal(refusal.reply.code, 452, refusal.message);
      assert.match(refusal.reply.lines[0]!, /^4\.3\.1 /);
    }
    await assert.rejects(imap.append('INBOX', text(300_000)), (error) => {
      assert.ok(error instanceof ImapRefusal, String(error));
      return / NO /.test(error.message);
    });
    await fillDirectory(ldap);
    assert.equal(await submitByHttp(server, ann), 503);

    // Reads go on: the mail is there, over IMAP and POP3's neighbour SMTP answers.
    const found = await imap.fetchAll();
    assert.equal(found.length, 1);
    assert.equal((await smtp.command('NOOP')).code, 250);

    filler.free();
    await smtp.send('carol@remote.example', [ann.login], text(300_000));
    await imap.command('SELECT INBOX');
    await imap.append('INBOX', text(300_000));
    await addUser(ldap, 'after@acme.example');
    assert.equal(await submitByHttp(server, ann), 202);
    assert.equal(await imap.count(), 4);
    await imap.logout();
    await smtp.quit();
  });

  test('the audit is no reason to refuse a login: what is lost is named once, half a line is never left', async () => {
    const count = (event: string): number => server.stderr().split(`"event":"${event}"`).length - 1;
    const logIn = async (): Promise<void> => {
      const imap = await ImapClient.login(server.listeners.imap, ann.login, ann.password);
      await imap.logout();
    };
    const whileLoggingIn = (what: string, holds: () => boolean): Promise<void> =>
      until(what, async () => {
        if (holds()) return true;
        await logIn();
        await new Promise((later) => setTimeout(later, 150));
        return holds();
      });
    // What the test before has left is over when a line can be written.
    await whileLoggingIn('the audit goes on', () => count('audit.resume') >= count('audit.lose'));
    const before = count('audit.lose');
    filler.fill();
    // The rest of the file's last page is used up first.
    await whileLoggingIn('something is lost', () => count('audit.lose') > before);
    for (let i = 0; i < 20; i++) await logIn();
    await new Promise((later) => setTimeout(later, 1500));
    await logIn();
    assert.equal(count('audit.lose'), before + 1);
    filler.free();
    await whileLoggingIn('it is written again', () => count('audit.resume') > before);
    for (const name of readdirSync(join(mount, 'data/audit'))) {
      const lines = readFileSync(join(mount, 'data/audit', name), 'utf8').split('\n');
      assert.equal(lines.pop(), '');
      for (const line of lines) JSON.parse(line);
    }
  });

  test('a disk that fills up under delivery: what got 250 is there, what got 452 is not', async () => {
    const smtp = await SmtpClient.open(server.listeners.smtp);
    const imap = await ImapClient.login(server.listeners.imap, ann.login, ann.password);
    const before = await imap.count();
    filler.take(4 * 1024 * 1024);
    let taken = 0;
    let refusal: SmtpRefusal | undefined;
    while (refusal === undefined && taken < SIZE_MIB * 4) {
      try {
        await smtp.send('carol@remote.example', [ann.login], text(400_000));
        taken++;
      } catch (error) {
        if (!(error instanceof SmtpRefusal)) throw error;
        refusal = error;
      }
    }
    assert.equal(refusal?.reply.code, 452, refusal?.message ?? 'the disk never became full');
    assert.equal(await imap.count(), before + taken);
    const found = await imap.fetchAll();
    assert.equal(found.length, before + taken);
    await imap.logout();
    smtp.destroy();

    // A start on a full disk serves what is there, or ends with one line; with space again it starts.
    await server.kill9();
    try {
      await server.restart();
    } catch (error) {
      assert.ok(error instanceof StartFailure && error.exit !== undefined, `it neither starts nor ends: ${error}`);
      assert.notEqual(error.exit.code, 0);
      assert.match(error.stderr, /^waypost: .*(space|full)/m);
      filler.free();
      await server.restart();
    }
    const again = await ImapClient.login(server.listeners.imap, ann.login, ann.password);
    assert.equal(await again.count(), before + taken);
    await again.logout();
  });
});

async function refused(sending: Promise<unknown>): Promise<SmtpRefusal> {
  try {
    await sending;
  } catch (error) {
    if (error instanceof SmtpRefusal) return error;
    throw error;
  }
  throw new Error('taken, although there is no space');
}

/** Entries are small: some may find room in pages that are there already. */
async function fillDirectory(ldap: Client): Promise<void> {
  for (let i = 0; i < 2000; i++) {
    try {
      await addUser(ldap, `full${i}@acme.example`, { description: 'x'.repeat(4000) });
    } catch (error) {
      assert.ok(error instanceof ResultCodeError, String(error));
      assert.ok(error.code === 52 || error.code === 51, `result ${error.code}: ${error.message}`);
      return;
    }
  }
  assert.fail('two thousand entries were added, although there is no space');
}
