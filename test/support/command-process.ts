// Commands one after another in one process, for a test of what they say: the program's own `run`, without a start for each.
//
// In      the words of a command, as a message
// Out     its exit code, and what it has written to standard output and standard error
// Standard input is empty. What a process of its own makes of a command is tested with one.

import { run } from '../../src/cli/program.ts';
import { locate } from '../../src/server/locate.ts';
import { locateData } from '../../src/server/locate-data.ts';
import { VERSION } from '../../src/server/version.ts';

const said = { stdout: '', stderr: '' };
for (const name of ['stdout', 'stderr'] as const)
  process[name].write = (text: string | Uint8Array, ...rest: unknown[]): boolean => {
    said[name] += typeof text === 'string' ? text : Buffer.from(text).toString('utf8');
    const written = rest.at(-1);
    if (typeof written === 'function') process.nextTick(written);
    return true;
  };

const never = (): never => {
  throw new Error('this needs a process of its own');
};

process.on('message', async (words: string[]) => {
  Object.assign(said, { stdout: '', stderr: '' });
  const verbs = {
    environment: process.env,
    version: VERSION,
    locate,
    locateData,
    serve: never,
    sendmail: never,
    dev: never,
    demo: never,
  };
  const code = await run(words, verbs);
  process.send?.({ code, ...said });
});
process.on('disconnect', () => process.exit());
