// Reads argv and the environment and calls a verb.
//
// What brings a server with it is loaded when it is asked for: other commands start in half the time.

import { run } from './cli/program.ts';
import { locate } from './server/locate.ts';
import { VERSION } from './server/version.ts';

const code = await run(process.argv.slice(2), {
  environment: process.env,
  version: VERSION,
  locate,
  serve: async (configuration) => (await import('./server/serve.ts')).serve(configuration),
  demo: async (json, environment) => (await import('./demo/demo.ts')).demo(json, environment),
});

process.exitCode = code;
// A start that failed half-way, for example on a full disk, has threads that are still running.
if (code !== 0) process.exit();
