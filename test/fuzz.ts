// `npm run fuzz`: a million fuzzed inputs for each parser that strangers reach: DNS messages, through the codec and to a running
// server, then each property that is said below with so many cases.
//
//   npm run fuzz -- --cases N   another number
//   npm run fuzz -- --only WHAT these only: dns, zone-files, ldap, controls, sync, cookies, rules, ldif, definitions, ldap-door, ldap-client;
//                               may be repeated
//   npm run fuzz -- --seed N    the same DNS messages again; the seed is said at the start. The others say theirs where they fail
//
// Exit code 0: each was answered as it must be, and the server works on. 1: one was not. A DNS message is named in hexadecimal,
// another input as fast-check has made it small. 64: there is no such part

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runDnsFuzz } from './hostile/dns-fuzz.ts';
import { UnderAttack } from './support/under-attack.ts';

interface Property {
  readonly file: string;
  /** Of the test's name. */
  readonly begins: string;
  /** A case is a conversation: of so many one is tried. */
  readonly oneOf?: number;
}

const PROPERTIES: Readonly<Record<string, Property>> = {
  'zone-files': { file: 'src/wire/dns/zone-file.test.ts', begins: 'whatever a' },
  ldap: { file: 'src/wire/ldap/message.test.ts', begins: 'mutated messages' },
  controls: { file: 'src/wire/ldap/controls.test.ts', begins: 'any octets' },
  sync: { file: 'src/wire/ldap/sync.test.ts', begins: 'any other octets' },
  cookies: { file: 'src/protocols/ldap/sync-cookie.test.ts', begins: 'any octets' },
  rules: { file: 'src/directory/access/parse.test.ts', begins: 'any text' },
  ldif: { file: 'src/directory/ldif.test.ts', begins: 'any octets' },
  definitions: { file: 'src/directory/definitions.test.ts', begins: 'any text' },
  'ldap-door': { file: 'src/protocols/ldap/controls.test.ts', begins: 'any octets', oneOf: 20 },
  'ldap-client': { file: 'src/directory/source/connection.test.ts', begins: 'octets of any kind', oneOf: 100 },
};
const PARTS = ['dns', ...Object.keys(PROPERTIES)];

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '1000000' },
    only: { type: 'string', multiple: true, default: PARTS },
    seed: { type: 'string' },
  },
});
const unknown = values.only.filter((part) => !PARTS.includes(part));
if (unknown.length > 0) {
  console.error(`no part ${unknown.join(', ')}; there are ${PARTS.join(', ')}`);
  process.exit(64);
}
const cases = Number(values.cases);
let failed = false;
for (const part of values.only) {
  const began = performance.now();
  const property = PROPERTIES[part];
  const tried = Math.ceil(cases / (property?.oneOf ?? 1));
  const held = property === undefined ? await fuzzDns() : await fuzzProperty(property, tried);
  failed ||= !held;
  console.log(
    `${part}: ${tried} cases in ${Math.round((performance.now() - began) / 1000)} s, ${held ? 'held' : 'FAILED'}`,
  );
}
process.exit(failed ? 1 : 0);

async function fuzzDns(): Promise<boolean> {
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
  console.error(`seed ${seed}`);
  const attack = await UnderAttack.start();
  try {
    const rcodes = await runDnsFuzz({
      ...{ messages: cases, seed, domain: 'acme.example' },
      server: attack.server.listeners.dns,
      say: (text) => console.error(text),
    });
    await attack.ordinary();
    console.log(
      [...rcodes]
        .sort((a, b) => b[1] - a[1])
        .map(([rcode, count]) => `${rcode} ${count}`)
        .join(', '),
    );
    return true;
  } catch (error) {
    console.error(error);
    return false;
  } finally {
    await attack.server.stop();
  }
}

/** In a process of its own, as the test that it is. */
async function fuzzProperty({ file, begins }: Property, tried: number): Promise<boolean> {
  const root = join(import.meta.dirname, '..');
  const load = ['--import', join(root, 'src/server/load-sources.ts'), '--test', '--test-reporter=dot'];
  const child = spawn(process.execPath, [...load, `--test-name-pattern=^${begins}`, join(root, file)], {
    env: { ...process.env, FUZZ_CASES: String(tried) },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code === 0;
}
