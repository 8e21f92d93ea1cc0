// Reads argv and the environment and calls a verb.

import { run } from './cli/program.ts';
import { demo } from './server/demo/demo.ts';
import { locate } from './server/locate.ts';
import { serve } from './server/serve.ts';
import { VERSION } from './server/version.ts';

process.exitCode = await run(process.argv.slice(2), {
  environment: process.env,
  version: VERSION,
  locate,
  serve,
  demo,
});
