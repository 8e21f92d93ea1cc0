// The verb `demo`: a whole server on throw-away data and free ports, what it can do shown step by step, everything gone
// again. Works beside a server that runs.
//
// Out  standard output: the steps, as text or one JSON array
// SIGINT, SIGTERM and SIGHUP end it early and as cleanly, exit code 0; a second one at once

import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT } from '../base/exit.ts';
import type { Environment } from '../cli/program.ts';
import { configure } from '../server/configuration.ts';
import { start } from '../server/start.ts';
import { DemoResolver } from './resolver.ts';
import { stepPrinter } from './step-printer.ts';
import { NEW, runStory } from './story.ts';
import { inThrowAway } from './throw-away.ts';

const HOSTNAME = 'mail.waypost.example';
/** Doors in the order in which the story uses them; the others are there too. */
const DOORS = ['ldap', 'dns', 'smtp', 'imap'];

export async function demo(json: boolean, environment: Environment): Promise<number> {
  return inThrowAway('waypost-demo-', async ({ directory, signal, remove }) => {
    try {
      await show(join(directory, 'data'), json, environment, signal, remove);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    return EXIT.done;
  });
}

async function show(
  data: string,
  json: boolean,
  environment: Environment,
  signal: AbortSignal,
  remove: () => void,
): Promise<void> {
  const began = performance.now();
  const resolver = await DemoResolver.start(NEW, HOSTNAME);
  const text = `resolver = ["${resolver.server}"]\nthreads = 1\nlog = "silent"\n[provision]\nfrom-mx = "auto"\n`;
  const configuration = configure(text, 'demo', {
    data,
    development: false,
    hostname: HOSTNAME,
    listen: '127.0.0.1',
    portOffset: 'auto',
    log: undefined,
  });
  const fatal = (words: string): never => {
    writeSync(2, `waypost: ${words}\n`);
    remove();
    process.exit(EXIT.ioError);
  };
  const printer = stepPrinter({
    json,
    colours: process.stdout.isTTY === true && (environment['NO_COLOR'] ?? '') === '',
    write: (words) => process.stdout.write(words),
  });
  printer.chapter('Waypost demo', 'A whole server on throw-away data; real protocols, nothing acted.');
  const server = await start(configuration, fatal);
  try {
    signal.throwIfAborted();
    const doors = DOORS.map((name) => `${name} on ${server.listeners[name]}`).join(', ');
    const detail = [`${server.hostname}: ${doors}`];
    printer.step({ number: null, step: 'server started', detail, ms: performance.now() - began });
    await untilAborted(runStory({ server, data, printer }), signal);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    printer.end(`All of it took ${seconds} s. The data are gone again; \`npm start\` keeps yours.`);
  } finally {
    await server.stop();
    resolver.stop();
  }
}

/** Rejects when the signal comes. Errors that `story` still gets from the stopping server are ignored then. */
function untilAborted(story: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    story.then(resolve, reject);
  });
}
