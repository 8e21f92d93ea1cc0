// The tests' own entry point: the program with switches that the shipped one has no way to set, and a thread that can be
// ended. Started by test/support/server.ts.
//
//   node --import test/support/thread-faults.ts test/support/serve-with-switches.ts SWITCHES serve ...
//
// In  SWITCHES: JSON of what differs from the shipped program

import { run } from '../../src/cli/program.ts';
import { locate } from '../../src/server/locate.ts';
import { locateData } from '../../src/server/locate-data.ts';
import { serve } from '../../src/server/serve.ts';
import { durable } from '../../src/server/switches.ts';

const [switches = '{}', ...argv] = process.argv.slice(2);

const code = await run(argv, {
  environment: process.env,
  version: 'tests',
  locate,
  locateData,
  serve: (configuration) => serve(configuration, { ...durable, ...JSON.parse(switches) }),
  sendmail: () => Promise.reject(new Error('no sendmail here')),
  dev: () => Promise.reject(new Error('no dev here')),
  demo: () => Promise.reject(new Error('no demo here')),
});
process.exit(code);
