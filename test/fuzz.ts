// `npm run fuzz`: a million fuzzed inputs for each parser that strangers reach: DNS messages, through the codec and to a running
// server, then each property that is said below with so many cases.
//
//   npm run fuzz -- --cases N   another number
//   npm run fuzz -- --only WHAT these only, by the names below; may be repeated
//   npm run fuzz -- --seed N    the same DNS messages again; the seed is said at the start. The others say theirs where they fail
//
// Judged    what each property says; that its process keeps no more behind all cases than before them, but for GROWTH_BYTES; that no
//           case takes CASE_MS: then the process is ended, and the case named
// Exit code 0: each was answered as it must be, and the server works on. 1: one was not. A DNS message is named in hexadecimal,
//           another input as fast-check has made it small. 64: there is no such part

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runDnsFuzz } from './hostile/dns-fuzz.ts';
import { heapBytes } from './support/heap-bytes.ts';
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
  proxy: { file: 'src/net/proxy-protocol.test.ts', begins: 'any octets are' },
  'client-hello': { file: 'src/net/client-hello.test.ts', begins: 'bytes that are changed' },
  sasl: { file: 'src/auth/sasl/lines.test.ts', begins: 'any lines end' },
  scram: { file: 'src/auth/sasl/scram-messages.test.ts', begins: 'any octets' },
  'ldap-urls': { file: 'src/directory/ldap-url.test.ts', begins: 'any text' },
  srs: { file: 'src/routing/srs.test.ts', begins: 'any local part' },
  moderation: { file: 'src/routing/tokens.test.ts', begins: 'any local part' },
  'text-form': { file: 'src/transfer/text-form.test.ts', begins: 'any octets' },
  'dns-answers': { file: 'src/net/dns-request.test.ts', begins: 'any octets' },
  transfers: { file: 'src/wire/dns/zone-transfer.test.ts', begins: 'whatever comes' },
  'dkim-keys': { file: 'src/message/dkim/key.test.ts', begins: 'any text' },
  rewrite: { file: 'src/routing/rewrite/template.test.ts', begins: 'any text' },
  networks: { file: 'src/net/ip-network.test.ts', begins: 'any text' },
  bdat: { file: 'src/wire/smtp/chunk.test.ts', begins: 'any octets' },
  data: { file: 'src/wire/smtp/data.test.ts', begins: 'any octets' },
  'smtp-commands': { file: 'src/wire/smtp/parameters.test.ts', begins: 'any line' },
  'smtp-replies': { file: 'src/wire/smtp/client.test.ts', begins: 'any octets' },
  'smtp-door': { file: 'src/protocols/smtp/fuzz.test.ts', begins: 'any octets', oneOf: 200 },
  authorization: { file: 'src/protocols/http/authorization.test.ts', begins: 'any value' },
  json: { file: 'src/protocols/http/json.test.ts', begins: 'any octets' },
  'json-messages': { file: 'src/protocols/http/message-input.test.ts', begins: 'any JSON' },
  queries: { file: 'src/protocols/http/message-input.test.ts', begins: 'any query' },
  'line-ends': { file: 'src/protocols/http/line-ends.test.ts', begins: 'any octets' },
  filters: { file: 'src/wire/ldap/filter.test.ts', begins: 'any text near' },
  names: { file: 'src/directory/dn.test.ts', begins: 'any text near' },
  tsig: { file: 'src/wire/dns/tsig.test.ts', begins: 'any octets near' },
  hops: { file: 'src/routing/destination.test.ts', begins: 'any text near' },
  languages: { file: 'src/transfer/autoreply/text.test.ts', begins: 'any text of' },
  addresses: { file: 'src/message/address.test.ts', begins: 'any text near' },
  'address-lists': { file: 'src/message/addresses.test.ts', begins: 'any list near' },
  dates: { file: 'src/message/date.test.ts', begins: 'any text near' },
  'encoded-texts': { file: 'src/message/decode.test.ts', begins: 'any value near' },
  'mime-fields': { file: 'src/message/parameters.test.ts', begins: 'any text near' },
  messages: { file: 'src/message/structure.test.ts', begins: 'any octets near' },
  'imap-frames': { file: 'src/wire/imap/command-framer.test.ts', begins: 'any octets near' },
  'imap-commands': { file: 'src/wire/imap/commands/commands.test.ts', begins: 'any octets near' },
  'pop3-commands': { file: 'src/wire/pop3/commands.test.ts', begins: 'any octets near' },
  'ldap-door': { file: 'src/protocols/ldap/controls.test.ts', begins: 'any octets', oneOf: 20 },
  'ldap-client': { file: 'src/directory/source/connection.test.ts', begins: 'octets of any kind', oneOf: 100 },
};
const PARTS = ['dns', ...Object.keys(PROPERTIES)];
const MIB = 1024 * 1024;
const GROWTH_BYTES = 32 * MIB;
const CASE_MS = 60_000;
const LOOK_MS = 1000;
/** As test/support/watched-fast-check.ts writes them. */
const NOTES_HEAD_BYTES = 40;

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
  const { isHeld, before, after, problem } =
    property === undefined ? await fuzzDns() : await fuzzProperty(property, tried);
  const grown = after - before > GROWTH_BYTES ? `it keeps more than ${inMib(GROWTH_BYTES)} MB` : problem;
  const isWrong = !isHeld || grown !== undefined;
  failed ||= isWrong;
  const seconds = Math.round((performance.now() - began) / 1000);
  const outcome = isWrong ? `FAILED${grown === undefined ? '' : `: ${grown}`}` : 'held';
  console.log(`${part}: ${tried} cases in ${seconds} s, heap ${inMib(before)} -> ${inMib(after)} MB, ${outcome}`);
}
process.exit(failed ? 1 : 0);

interface Fuzzed {
  readonly isHeld: boolean;
  /** Octets that the process of the property keeps. */
  readonly before: number;
  readonly after: number;
  readonly problem?: string;
}

function inMib(octets: number): number {
  return Math.round(octets / MIB);
}

async function fuzzDns(): Promise<Fuzzed> {
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
  console.error(`seed ${seed}`);
  const attack = await UnderAttack.start();
  const before = heapBytes();
  let isHeld = false;
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
    isHeld = true;
  } catch (error) {
    console.error(error);
  } finally {
    await attack.server.stop();
  }
  return { isHeld, before, after: heapBytes() };
}

/** In a process of its own, as the test that it is. */
async function fuzzProperty({ file, begins }: Property, tried: number): Promise<Fuzzed> {
  const root = join(import.meta.dirname, '..');
  const folder = mkdtempSync(join(tmpdir(), 'waypost-fuzz-'));
  const notes = join(folder, 'notes');
  writeFileSync(notes, Buffer.alloc(NOTES_HEAD_BYTES));
  const files = ['src/server/load-sources.ts', 'test/support/fuzz.ts'].map((each) => join(root, each));
  const load = [...files.flatMap((each) => ['--import', each]), '--test-reporter=dot'];
  // Not by way of --test, whose process of the file's own would outlive it when it is ended.
  const child = spawn(process.execPath, [...load, `--test-name-pattern=^${begins}`, join(root, file)], {
    env: { ...process.env, FUZZ_CASES: String(tried), FUZZ_NOTES: notes },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const ended = watchCases(notes, () => child.kill('SIGKILL'));
  const [code] = (await once(child, 'exit')) as [number | null];
  const endless = ended();
  const said = readNotes(notes);
  rmSync(folder, { recursive: true });
  const isHeld = code === 0 && endless === undefined;
  if (endless !== undefined) {
    console.error(`a case has taken ${CASE_MS / 1000} s; it is this, and in hexadecimal:`);
    console.error(endless.toString('utf8'));
    console.error(endless.toString('hex'));
  }
  const few = isHeld && said.tried < tried ? { problem: `only ${said.tried} cases were tried` } : {};
  return { isHeld, before: said.before, after: said.after, ...few };
}

/** Calls `end` where a case takes too long. Gives what ends the watch, which gives that case. */
function watchCases(notes: string, end: () => void): () => Buffer | undefined {
  let last = 0;
  let since = performance.now();
  let endless: Buffer | undefined;
  const timer = setInterval(() => {
    const { current, input } = readNotes(notes);
    if (current !== last) since = performance.now();
    last = current;
    if (current === 0 || performance.now() - since < CASE_MS) return;
    endless ??= input;
    end();
  }, LOOK_MS);
  return () => {
    clearInterval(timer);
    return endless;
  };
}

function readNotes(file: string) {
  const notes = readFileSync(file);
  const word = (at: number): number => notes.readDoubleLE(at * 8);
  const input = notes.subarray(NOTES_HEAD_BYTES, NOTES_HEAD_BYTES + word(4));
  return { current: word(0), tried: word(1), before: word(2), after: word(3), input };
}
