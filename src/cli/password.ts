// A password from standard input or, on a terminal, asked for without an echo. Never an argument: arguments are public.

import { Failure } from '../base/failure.ts';

const PASSWORD_BYTES_MAX = 1024;
const CTRL_C = 3;
const CTRL_D = 4;
const BACKSPACE = 127;

/** Undefined: none is set. The line end that belongs to the terminal or to `echo` is taken off. */
export async function readPassword(whose: string, fromStdin: boolean): Promise<string | undefined> {
  if (fromStdin) return check(await readAll());
  if (!process.stdin.isTTY) return undefined;
  const password = await ask(`Password of ${whose} (empty for none): `);
  return password === '' ? undefined : check(password);
}

function check(password: string): string {
  if (password === '') throw new Failure('invalid', 'the password is empty');
  if (Buffer.byteLength(password) > PASSWORD_BYTES_MAX)
    throw new Failure('invalid', `the password is longer than ${PASSWORD_BYTES_MAX} bytes`);
  return password;
}

async function readAll(): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes > PASSWORD_BYTES_MAX + 2) break;
  }
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

function ask(question: string): Promise<string> {
  const { stdin, stderr } = process;
  // Echo is turned off before the question is printed, so that a fast answer is not shown either.
  stdin.setRawMode(true);
  stderr.write(question);
  stdin.resume();
  return new Promise((resolve, reject) => {
    const typed: number[] = [];
    const done = (end: () => void): void => {
      stdin.setRawMode(false);
      stdin.pause();
      stdin.off('data', take);
      stderr.write('\n');
      end();
    };
    const take = (chunk: Buffer): void => {
      for (const byte of chunk) {
        if (byte === CTRL_C) {
          done(() => reject(new Failure('invalid', 'cancelled')));
          return;
        }
        if (byte === 13 || byte === 10 || byte === CTRL_D) {
          done(() => resolve(Buffer.from(typed).toString('utf8')));
          return;
        }
        if (byte === BACKSPACE) typed.pop();
        else typed.push(byte);
      }
    };
    stdin.on('data', take);
  });
}
