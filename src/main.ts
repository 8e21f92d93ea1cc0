// Reads argv and the environment and calls a verb.
//
// What brings a server with it is loaded when it is asked for: other commands start in half the time, and `sendmail`, which
// programs start for each message, without even those.

import { userInfo } from 'node:os';
import { sendmailArguments } from './cli/sendmail/name.ts';
import type { SendmailParts } from './cli/sendmail/sendmail.ts';

const argv = process.argv.slice(2);
const asked = sendmailArguments(process.env['WAYPOST_NAME'], argv);
const code = asked === undefined ? await runProgram(argv) : await runSendmail(asked);

process.exitCode = code;
// A start that failed half-way, for example on a full disk, has threads that are still running.
if (code !== 0) process.exit();

async function runProgram(words: readonly string[]): Promise<number> {
  const { run } = await import('./cli/program.ts');
  const { locateData } = await import('./server/locate-data.ts');
  const { VERSION } = await import('./server/version.ts');
  return run(words, {
    environment: process.env,
    version: VERSION,
    locate: async (options, environment) => (await import('./server/locate.ts')).locate(options, environment),
    locateData,
    serve: async (configuration) => (await import('./server/serve.ts')).serve(configuration),
    sendmail: runSendmail,
    dev: async (options) => (await import('./estate/dev.ts')).dev(options),
    demo: async (json, environment) => (await import('./demo/demo.ts')).demo(json, environment),
  });
}

async function runSendmail(words: readonly string[]): Promise<number> {
  const { sendmail } = await import('./cli/sendmail/sendmail.ts');
  const { submitPlace } = await import('./server/submit-place.ts');
  const parts: SendmailParts = {
    input: process.stdin,
    print: (text) => process.stdout.write(text),
    complain: (text) => process.stderr.write(text),
    login: loginName(),
    place: (options) => submitPlace(options, process.env),
    run: runProgram,
  };
  return sendmail(words, parts);
}

/** A user id need not have a name. */
function loginName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid${process.getuid?.() ?? ''}`;
  }
}
