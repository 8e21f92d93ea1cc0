// The command line's end of the admin socket: one operation, one answer.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AdminInput, AdminName, AdminOutput } from '../admin/operations.ts';
import { Failure, type FailureKind } from '../base/failure.ts';

// An import of it would read all its properties, and so load a client of HTTP that no command uses: a third of a command's time.
const { request } = process.getBuiltinModule('node:http');

/** No socket, no process that listens on it, or a path that is too long for one, where a running server names another. */
const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ECONNREFUSED', 'EINVAL', 'ENAMETOOLONG']);

const AS_WHOM = 'run the command as the user that the server runs as, or as root';

/** No server listens on the socket of this data directory. */
export class NoServer extends Error {
  constructor(data: string) {
    super(`no server runs on ${data}: start one with \`waypost serve --data ${data}\``);
    this.name = 'NoServer';
  }
}

/** A path that was too long for a socket is named in a file beside it. */
function adminSocket(data: string): string {
  try {
    return readFileSync(join(data, 'run', 'admin.path'), 'utf8').trim();
  } catch {
    return join(data, 'run', 'admin.sock');
  }
}

export class AdminClient {
  readonly #data: string | Promise<string>;

  /** The data directory; where finding it fails, each call does. */
  constructor(data: string | Promise<string>) {
    this.#data = data;
    if (typeof data !== 'string') data.catch(() => {});
  }

  /** Throws NoServer, or the operation's Failure. */
  async call<Name extends AdminName>(name: Name, input: AdminInput<Name>): Promise<AdminOutput<Name>> {
    const body = await this.#post(`/admin/${name}`, JSON.stringify(input));
    const answer = JSON.parse(body) as { result: AdminOutput<Name>; failure?: { kind: FailureKind; text: string } };
    if (answer.failure !== undefined) throw new Failure(answer.failure.kind, answer.failure.text);
    return answer.result;
  }

  async #post(path: string, body: string): Promise<string> {
    const data = await this.#data;
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          ...{ socketPath: adminSocket(data), path, method: 'POST', headers: { 'Content-Type': 'application/json' } },
          // A connection that is kept may be one that the server is just closing, or a server of before.
          agent: false,
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
          response.on('error', reject);
        },
      );
      asked.on('error', (error) => {
        const code = 'code' in error ? error.code : undefined;
        const absent = ABSENT.has(String(code));
        if (code === 'EACCES')
          reject(new Failure('denied', `${adminSocket(data)} may not be used by this user: ${AS_WHOM}`));
        else
          reject(
            absent ? new NoServer(data) : new Failure('unavailable', `the server does not answer: ${error.message}`),
          );
      });
      asked.end(body);
    });
  }
}
