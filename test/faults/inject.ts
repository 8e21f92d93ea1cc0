// System calls of a running server that fail from now on, by strace.
//
// In      process id, system calls, an error, and which file they must be on
// Out     a handle to let them work again
// Needs   root or the same user, and ptrace (test/support/peers.ts, traceMissing)

import { spawn } from 'node:child_process';

export interface Injection {
  readonly pid: number;
  /** Names of system calls, separated by commas. */
  readonly calls: string;
  readonly error: 'EIO' | 'ENOSPC';
  /** Only calls on these files. */
  readonly paths?: readonly string[];
}

/** Resolves when every thread is traced. */
export async function inject(
  strace: string,
  { pid, calls, error, paths }: Injection,
): Promise<{ stop(): Promise<void> }> {
  const only = (paths ?? []).flatMap((path) => ['-P', path]);
  const tracer = spawn(
    strace,
    [
      '-f',
      '-o',
      '/dev/null',
      '-e',
      `trace=${calls}`,
      '-e',
      `inject=${calls}:error=${error}`,
      ...only,
      '-p',
      String(pid),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = new Promise<void>((end) => tracer.once('exit', () => end()));
  let said = '';
  await new Promise<void>((attached, failed) => {
    const late = setTimeout(() => failed(new Error(`strace did not attach: ${said}`)), 120_000);
    tracer.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      // One line for all threads, or one a thread; the others follow at once.
      if (!/attached/.test(said)) return;
      clearTimeout(late);
      setTimeout(attached, 200);
    });
    // The server has work of its own: it may have met the fault, and ended, by now.
    void ended.then(() => (/attached/.test(said) ? attached() : failed(new Error(`strace ended: ${said}`))));
  });
  return {
    async stop() {
      tracer.kill('SIGTERM');
      await ended;
    },
  };
}
