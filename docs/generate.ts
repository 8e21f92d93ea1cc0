// The pages under docs/reference/, made from what the program itself uses: `node docs/generate.ts` writes them.
//
// In      the schema of waypost.toml, the tree of commands, ports, failure tables, and the sources for metrics, log events, RFCs
// Out     one page a reference; test/docs.test.ts fails when a committed one differs
// Sentences that stand nowhere in the program (what a key or an event means) stand here; a missing one is an error

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Argument, Command } from 'commander';
import { toJSONSchema, type z } from 'zod';
import { adminOperation } from '../src/admin/operation.ts';
import { type AdminParts, adminOperations } from '../src/admin/operations.ts';
import { EXIT, exitCode } from '../src/base/exit.ts';
import { Failure, type FailureKind, failureKinds } from '../src/base/failure.ts';
import { silentLog } from '../src/base/log.ts';
import type { CommandContext } from '../src/cli/command.ts';
import { buildProgram, demoCommand, devCommand, sendmailCommand, serveCommand } from '../src/cli/program.ts';
import { DNS_FAILURE } from '../src/protocols/dns/errors.ts';
import { adminApp } from '../src/protocols/http/admin.ts';
import { capabilityText } from '../src/protocols/imap/capability.ts';
import { replyOf } from '../src/protocols/imap/errors.ts';
import { failureResult } from '../src/protocols/ldap/errors.ts';
import { failureReply } from '../src/protocols/pop3/errors.ts';
import { failureStatus } from '../src/protocols/smtp/errors.ts';
import { configurationSchema, configure } from '../src/server/configuration.ts';
import { standardPorts } from '../src/server/ports.ts';
import { RCODE } from '../src/wire/dns/codes.ts';
import { resultCodes } from '../src/wire/ldap/result-codes.ts';
import { IMAP_EXTENSIONS } from './imap-extensions.ts';

const root = resolve(import.meta.dirname, '..');
const HEAD = '<!-- Made by docs/generate.ts from the program: change that, not this page. -->';

/** Every command of the program, with nothing behind it. */
export function commandTree(): Command {
  const context: CommandContext = {
    client: () => {
      throw new Error('no command is run here');
    },
    printer: () => ({ print() {} }),
    editor: '',
    exit() {},
  };
  const program = buildProgram(context);
  program.addCommand(serveCommand(async () => {}));
  program.addCommand(demoCommand(async () => {}));
  program.addCommand(devCommand(async () => {}));
  program.addCommand(sendmailCommand(async () => {}));
  return program;
}

/** Files below src/ without tests, in order. */
export function sources(): string[] {
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !/(\.test|(^|\/)testing)\.ts$/.test(name))
    .sort()
    .map((name) => join(root, 'src', name));
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [line(heading), line(heading.map(() => '---')), ...rows.map(line)].join('\n');
}

function page(title: string, ...parts: readonly string[]): string {
  return `${[HEAD, `# ${title}`, ...parts].join('\n\n')}\n`;
}

/** Key -> form and sentence. */
const KEYS: Readonly<Record<string, readonly [form: string, sentence: string]>> = {
  hostname: [
    'host name',
    'The name of this host, in greetings, Received, MX and SOA. Former names go on as names of this host.',
  ],
  data: ['path', 'The data directory; relative to the file. `--data` and `WAYPOST_DATA` come first.'],
  listen: [
    'list of IP addresses',
    'Where every listener listens. 127.0.0.1 with `--development`. Both families: `["0.0.0.0", "::"]`; `::` without an IPv4 address beside it takes IPv4, too.',
  ],
  'port-offset': [
    'number, or `"auto"`',
    'Added to each standard port; `"auto"`: free ports. 1000 with `--development`.',
  ],
  without: ['list of listeners', 'Listeners that are not opened, such as `["https", "dns"]`.'],
  resolver: [
    'list of `address` or `address:port`',
    'Who is asked for MX and address records of others; none: the resolvers of the system.',
  ],
  address: ['list of IP addresses', 'Public addresses of this host, for A and AAAA; none: the addresses of `listen`.'],
  threads: ['number, 1 to 32', 'Protocol threads; one fewer than cores where nothing is said, but one at least.'],
  log: ['`debug` `info` `warn` `error` `silent`', 'What is logged at least.'],
  'auth.scram': ['`auto` `on` `off`', 'Whether SCRAM is offered: `auto`, while every user with a password has keys.'],
  'auth.default-domain': ['domain', 'The domain of a login without one, where the server name does not say it.'],
  'dns.mode': ['`embedded` or `none`', '`none`: this server answers for no zone and opens no DNS listener.'],
  'directory.suffix': [
    'list of DNs',
    'Names at which the directory begins. The first holds all domains and never changes; others are made at the start.',
  ],
  'directory.provider': [
    '`ldaps://HOST[:PORT]`, or `ldap:`',
    'The server whose directory this one follows, see [A second server](../second-server.md). `ldap:` is StartTLS, but on this machine.',
  ],
  'directory.password-file': ['path', 'The password that `host add` has printed there; relative to the file.'],
  'provision.from-mx': [
    '`off` or `auto`',
    'Whether a message may bring a domain by its MX record. `auto`: below one of ours. Without it: as the policies among the entries say.',
  ],
  'next-hop': [
    'table: domain = `[address]:port` or `host:port`',
    'Where mail for that domain goes, instead of its MX.',
  ],
  'outgoing-tls': [
    'table: domain = `opportunistic` `required` `off`',
    'How TLS is used with the hosts that take that domain’s mail; `opportunistic` where nothing is said.',
  ],
  'tls.outgoing-ca': [
    'path',
    'A PEM file of authorities that count beside Node’s for `required`; relative to the file.',
  ],
  'tls.certificates': [
    'list of directories',
    'Each subfolder with `fullchain.pem` and `privkey.pem` is a certificate, as is each of `tls/certs` in the data directory; relative to the file.',
  ],
  'tls.client-ca': [
    'path',
    'PEM of the authorities whose client certificates count; with it they are asked for, but on port 25. Relative to the file.',
  ],
  'sync.verify': [
    'time, or `"off"`',
    'How long after one proof of the routing tables the next is made, see [Proof of the tables](../sync.md).',
  ],
  'audit.keep': ['time', 'How long the lines of `audit/` are kept.'],
  'proxy.trusted': [
    'list of `address` or `address/bits`',
    'Proxies: each connection from there must begin with a PROXY header.',
  ],
  'proxy.listeners': ['list of listeners', 'The doors where that holds.'],
  'smtp.xclient': [
    'list of networks',
    'Front ends that may say at the SMTP doors for whom they speak, by XCLIENT: such as `["192.0.2.7", "10.0.0.0/8"]`.',
  ],
  'quota.warn': [
    'number',
    'A user is warned whose mailbox has so many percent of its limit; again when it has been below 80.',
  ],
  'file.folder': ['path', 'Below it lie the files that `mailDeliveryOption: file` writes to, a folder a domain.'],
  'file.max': ['size', 'The largest mbox file, and the largest message in a Maildir: what would be larger waits.'],
  'submit.folder': [
    'path',
    'Where local programs hand in mail. One outside the data directory is made for all users of the machine, with mode 1733.',
  ],
  'store.first-folders': [
    'list of names',
    'Folders that an account with nothing but INBOX gets at its first IMAP login, once, subscribed; `[]`: none.',
  ],
  'store.rewrite': [
    'size',
    'Octets of messages that are moved in a second at most, so that [space](../space.md) comes back; half of it while the disk is slow.',
  ],
  'store.compress': ['time', 'A segment that has been closed for so long is compressed, once; `"never"`: none is.'],
  'queue.retry': ['list of times', 'Waits after the first, second, ... attempt; the last one repeats.'],
  'queue.delay': [
    'time',
    'The sender of what waits longer gets a report of the delay, once; one that is not below `expire`: never.',
  ],
  'queue.expire': ['time', 'A recipient that has waited longer fails, and the sender gets a report.'],
  'imap.message-limit': [
    'number',
    'How many messages one FETCH, STORE, SEARCH, MOVE or UID EXPUNGE looks at, the newest first; 1000 at least. The client is told to ask again for the others.',
  ],
  'limits.message-size': ['size', 'The largest message, as sent; announced as SIZE.'],
  'limits.recipients': ['number', 'Recipients of one message.'],
  'limits.bad-commands': ['number', 'Commands in error before a connection is closed.'],
  'limits.command-timeout': ['time', 'How long a client may be silent: SMTP, and LDAP without a login.'],
  'limits.login-timeout': [
    'time',
    'From connect to a login (IMAP, POP3), or to the first complete command (SMTP, LDAP).',
  ],
  'limits.idle-timeout': [
    'time',
    'How long a session with a login may be silent: IMAP (IDLE included), LDAP, and POP3, there 10 minutes at most.',
  ],
  'limits.connections': ['number', 'Open connections of one protocol thread.'],
  'limits.connections-per-peer': [
    'number',
    'Open connections of one client, an IPv4 address or a /64, in all threads together. This machine is not counted.',
  ],
  'limits.smtp-connections-per-peer': ['number', 'Of these, at port 25, where other servers call.'],
  'limits.deliveries': ['number', 'Deliveries to other hosts at once.'],
};

/** Key -> its default, as one would write it. */
function defaults(): Readonly<Record<string, string>> {
  const { listen, portOffset, log, auth, dns, suffixes, audit, sync, file, store, queue, quota, limits } = configure(
    undefined,
    'waypost.toml',
    {
      data: '/var/lib/waypost',
      development: false,
      hostname: 'mail.example',
      listen: undefined,
      portOffset: undefined,
      log: undefined,
    },
  );
  const text = (value: unknown): string => `\`${JSON.stringify(value)}\``;
  return {
    hostname: "the machine's",
    data: 'see below',
    listen: text(listen),
    'port-offset': text(portOffset),
    resolver: "the system's",
    address: 'none',
    without: 'none',
    'tls.certificates': 'none',
    'tls.client-ca': 'none',
    threads: 'cores - 1',
    log: text(log),
    'auth.scram': text(auth.scram),
    'auth.default-domain': 'none',
    'dns.mode': text(dns.mode),
    'directory.suffix': text(suffixes),
    'directory.provider': 'none',
    'directory.password-file': 'none',
    'provision.from-mx': 'policies',
    'next-hop': 'none',
    'outgoing-tls': 'none',
    'tls.outgoing-ca': 'none',
    'sync.verify': text(sync.verifyMs === undefined ? 'off' : time(sync.verifyMs)),
    'audit.keep': text(time(audit.keepMs)),
    'proxy.trusted': 'none',
    'proxy.listeners': 'all but `dns`, `http` and `lmtp`',
    'imap.message-limit': 'none',
    'smtp.xclient': 'none',
    'quota.warn': text(String(quota.warnPercent)),
    'file.folder': '`files` in the data directory',
    'file.max': text(`${file.maxBytes / 1024 ** 3}GiB`),
    'submit.folder': '`submit` in the data directory',
    'store.first-folders': text(store.firstFolders),
    'store.rewrite': text(`${store.rewriteBytes / 1024 ** 2}MiB`),
    'store.compress': text(time(store.compressMs!)),
    'queue.retry': text(queue.retryMs.map(time)),
    'queue.delay': text(time(queue.delaysMs[0]!)),
    'queue.expire': text(time(queue.expireMs)),
    'limits.message-size': text(`${limits.messageSizeBytes / 1024 ** 2}MiB`),
    'limits.recipients': text(limits.recipientsMax),
    'limits.bad-commands': text(limits.badCommandsMax),
    'limits.command-timeout': text(time(limits.commandTimeoutMs)),
    'limits.login-timeout': text(time(limits.loginTimeoutMs)),
    'limits.idle-timeout': text(time(limits.idleTimeoutMs)),
    'limits.connections': text(limits.connectionsMax),
    'limits.connections-per-peer': text(limits.connectionsPerPeerMax),
    'limits.smtp-connections-per-peer': text(limits.smtpConnectionsPerPeerMax),
    'limits.deliveries': text(limits.deliveriesMax),
  };
}

function time(milliseconds: number): string {
  for (const [unit, length] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
  ] as const)
    if (milliseconds % length === 0) return `${milliseconds / length}${unit}`;
  return `${milliseconds / 1000}s`;
}

/** `queue.retry` for a key in a table. */
function configurationKeys(): string[] {
  return Object.entries(configurationSchema.shape).flatMap(([name, optional]) => {
    const inner = (optional as z.ZodOptional<z.ZodType>).unwrap();
    const shape = 'shape' in inner ? (inner.shape as Record<string, unknown>) : undefined;
    return shape === undefined ? [name] : Object.keys(shape).map((key) => `${name}.${key}`);
  });
}

function configuration(): string {
  const keys = configurationKeys();
  const given = defaults();
  for (const key of new Set([...Object.keys(KEYS), ...Object.keys(given)]))
    if (!keys.includes(key)) throw new Error(`waypost.toml has no key ${key}: take it out of docs/generate.ts`);
  const rows = keys.map((key) => {
    const known = KEYS[key];
    if (known === undefined || given[key] === undefined)
      throw new Error(`docs/generate.ts has no sentence or no default for the key ${key} of waypost.toml`);
    return [`\`${key}\``, known[0], given[key], known[1]];
  });
  return page(
    'Configuration',
    'Every key has a default: `waypost serve` without a file is the whole server. An unknown key, or a value of another form, is\nan error that names file, line and key (exit code 78). The file is read at the start.',
    'The file is the first of: `--config`, `WAYPOST_CONFIG`, `waypost.toml` in the data directory, none. The data directory is the\nfirst of: `--data`, `WAYPOST_DATA`, `data` in the file, the folder `data` beside the launcher if it exists (always with\n`--development`), `/var/lib/waypost`.',
    table(['key', 'form', 'default', 'meaning'], rows),
    'A time is a number with `s`, `m`, `h` or `d`: `"15m"`. A size is a number of bytes, or one with `B`, `KiB`, `MiB`, `GiB`: `"50MiB"`.\nA dot stands for a table: `queue.expire` is `expire` in `[queue]`.',
    'Environment over file: `WAYPOST_HOSTNAME`, `WAYPOST_LISTEN` (addresses with a comma between), `WAYPOST_PORT_OFFSET`, `WAYPOST_LOG`,\n`WAYPOST_DATA`, `WAYPOST_CONFIG`. A host name that is given once is kept; one without a dot becomes `NAME.localdomain`.',
  );
}

function argumentText(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

function leaves(command: Command, path: readonly string[] = []): { path: string; command: Command }[] {
  return command.commands.flatMap((child) => {
    const below = [...path, child.name()];
    const own = { path: below.join(' '), command: child };
    if (child.commands.length === 0) return [own];
    // One that does something by itself, too.
    return [...(child.options.length > 0 ? [own] : []), ...leaves(child, below)];
  });
}

/** Said once, at the head of the page. */
const COMMON = new Set(['--data', '--config', '--json']);

function commands(): string {
  const parts = leaves(commandTree())
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, command }) => {
      const words = ['waypost', path, ...command.registeredArguments.map(argumentText)].join(' ');
      const options = command.options
        .filter(({ long }) => !COMMON.has(long ?? ''))
        .map(({ flags, description }) => [`\`${flags}\``, description]);
      const rows = options.length === 0 ? [] : [table(['option', 'meaning'], options)];
      return [`## ${path}`, `    ${words}`, `${command.description()}`, ...rows].join('\n\n');
    });
  const codes = Object.entries(EXIT_WORDS).map(([code, words]) => [code, words]);
  for (const code of Object.values(EXIT))
    if (EXIT_WORDS[code] === undefined) throw new Error(`docs/generate.ts has no sentence for exit code ${code}`);
  return page(
    'Commands',
    'In a checkout `waypost` is `./waypost`. A command talks to the running server of its data directory over a Unix socket\n(`run/admin.sock` there); `serve` is that server, `demo` and `dev` bring their own. Answers go to standard output, complaints to standard error in one line.',
    'Each but `completion`, `demo` and `dev` takes `--data <directory>` (the data directory of the server) and `--config <file>` (its configuration);\neach that prints takes `--json`: one object, or one array for lists. Times in it are like `2026-11-24T09:09:23.824Z`.',
    '## Exit codes',
    table(['code', 'meaning'], codes),
    ...parts,
  );
}

const EXIT_WORDS: Readonly<Record<number, string>> = {
  0: 'done',
  1: 'the answer is no: not found, exists already, not empty, leads nowhere',
  64: 'the command line is wrong',
  65: 'the data are wrong: an address that is none',
  69: 'no server runs; the line says how to start one',
  70: 'the launcher cannot find itself',
  74: 'an I/O error has ended the server, or what a command prints could not be written',
  75: 'try again: a port is taken, the data directory is in use, the disk is full',
  77: 'not allowed',
  78: 'the configuration is wrong',
};

/** A form of JSON as people read it. */
interface JsonForm {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly JsonForm[];
  readonly items?: JsonForm;
  readonly properties?: Readonly<Record<string, JsonForm>>;
  readonly required?: readonly string[];
}

function formText({ type, enum: words, anyOf, items }: JsonForm): string {
  if (anyOf !== undefined) return [...new Set(anyOf.map(formText))].join(' or ');
  if (words !== undefined) return words.map((word) => `"${word}"`).join(' or ');
  return type === 'array' ? `list of ${formText(items!)}` : (type ?? 'any');
}

function api(): string {
  // What an operation works with is not touched before it is asked.
  const rows = adminOperations({} as AdminParts).map(({ name, input }) => {
    const form = toJSONSchema(input, { io: 'input' }) as JsonForm;
    const keys = Object.entries(form.properties ?? {}).map(([key, value]) => {
      const isNeeded = form.required?.includes(key) === true;
      return `\`${key}\`${isNeeded ? '' : '?'}: ${formText(value)}`;
    });
    return [`\`/v1/${name.replaceAll('.', '/')}\``, keys.join('; ') || '-'];
  });
  return page(
    'Operations of /v1',
    '`POST` with these keys in a JSON object; those with `?` may be left out. The reply is what the command of the same words prints with\n`--json`. [How to ask](../api.md)',
    table(['path', 'input'], rows),
  );
}

const PORT_WORDS: Readonly<Record<string, string>> = {
  smtp: 'mail from other hosts; offers AUTH',
  submission: 'mail from users; requires AUTH',
  lmtp: 'mail of another mail system on this machine, a reply a recipient; on loopback addresses alone',
  imap: 'IMAP4rev1, IMAP4rev2',
  pop3: 'POP3',
  ldap: 'LDAPv3',
  dns: 'UDP and TCP on one number; our own zones only',
  http: 'health and metrics',
  submissions: 'submission in TLS from the first byte',
  imaps: 'IMAP in TLS',
  pop3s: 'POP3 in TLS',
  ldaps: 'LDAP in TLS',
  https: 'HTTP in TLS',
};

function ports(): string {
  const rows = Object.entries(standardPorts).map(([name, port]) => {
    if (PORT_WORDS[name] === undefined) throw new Error(`docs/generate.ts has no sentence for the listener ${name}`);
    return [`\`${name}\``, String(port), String(port + 1000), PORT_WORDS[name]];
  });
  return page(
    'Ports',
    'Standard numbers plus `port-offset`: 0 in production, 1000 with `--development` (`npm start`). The ready line names what\neach listener has.',
    table(['listener', 'port', 'with `npm start`', 'what'], rows),
    '`without` in `waypost.toml` names those that are not opened. The administrator speaks over a Unix socket, `run/admin.sock` in the data directory;\na path that is too long for a socket gets one in the temporary directory, named in `run/admin.path`.',
  );
}

function metrics(): string {
  const text = readFileSync(join(root, 'src/server/metrics.ts'), 'utf8');
  const rows: string[][] = [];
  for (const [, name, help, rest] of text.matchAll(/'(waypost_[a-z0-9_]+)',\s*(?:help: )?'([^']+)'([^\]\n]*)/g)) {
    const after = text.slice(text.indexOf(`'${name}'`));
    const labels = name!.endsWith('_total')
      ? [...rest!.matchAll(/'([a-z]+)'/g)].map((match) => match[1]!)
      : (/^[^;]*?labelNames: \[([^\]]*)\]/.exec(after.slice(0, 200))?.[1] ?? '')
          .split(',')
          .map((label) => label.trim().replaceAll("'", ''))
          .filter((label) => label !== '');
    const kind = name!.endsWith('_total') ? 'counter' : 'gauge';
    rows.push([`\`${name}\``, kind, labels.map((label) => `\`${label}\``).join(', ') || '-', help!]);
  }
  return page(
    'Metrics',
    '`/metrics` on the HTTP port, in the text format of Prometheus. Counters begin at 0 with the process, and those of a thread that\nhas been replaced begin anew. No label holds an address.',
    table(
      ['metric', 'kind', 'labels', 'what'],
      rows.sort((a, b) => (a[0]! < b[0]! ? -1 : 1)),
    ),
  );
}

const KIND_WORDS = {
  syntax: "the peer's words do not parse",
  invalid: 'they parse, but the value is not allowed',
  'not-found': 'there is none: an answer',
  exists: 'it is there already',
  'not-empty': 'something is still in it',
  denied: 'not allowed to this peer',
  unauthenticated: 'not, or wrongly, authenticated',
  'not-private': 'a secret would be sent where a third party can listen',
  throttled: 'too many wrong guesses: nothing was looked at',
  'read-only': 'may not be changed',
  'too-large': 'larger than its limit',
  'too-many': 'more than their limit',
  'over-quota': 'no room for this account',
  conflict: 'another client has changed it or holds it',
  unsupported: 'not built, or not offered',
  full: 'the disk has no space: temporary',
  damaged: 'the bytes that are kept are not those that were written',
  unavailable: 'could not find out: temporary',
} as const satisfies Record<FailureKind, string>;

async function failures(): Promise<string> {
  const ldapNames = new Map<number, string>(Object.entries(resultCodes).map(([name, code]) => [code, name]));
  const rcodes = new Map<number, string>(Object.entries(RCODE).map(([name, code]) => [code, name]));
  const rows: string[][] = [];
  for (const kind of failureKinds) {
    const failure = new Failure(kind, 'text');
    const app = adminApp([adminOperation('fail', ANYTHING, () => Promise.reject(failure))], silentLog);
    const http = await app.request('/admin/fail', { method: 'POST', body: '{}' });
    const imap = replyOf(failure);
    const ldap = failureResult(failure);
    rows.push([
      `\`${kind}\``,
      KIND_WORDS[kind],
      failureStatus(failure).join(' '),
      `${imap.status}${imap.code === undefined ? '' : ` [${imap.code}]`}`,
      failureReply(failure)
        .trim()
        .replace(/ text$/, ''),
      `${ldapNames.get(ldap.resultCode)} (${ldap.resultCode})`,
      rcodes.get(DNS_FAILURE[kind]) ?? String(DNS_FAILURE[kind]),
      String(http.status),
      String(exitCode(kind)),
    ]);
  }
  return page(
    'Failures',
    'Every failure has a kind, whatever found it; each protocol has one table from kind to its code. Here they stand side by side. A failure\nmay carry what one protocol answers precisely (an SMTP reply from routing, an LDAP result from the directory, `TRYCREATE` of IMAP):\nthat protocol answers with it instead.',
    table(['kind', 'meaning', 'SMTP', 'IMAP', 'POP3', 'LDAP', 'DNS', 'HTTP', 'exit'], rows),
    '`not-found` and `unavailable` are never mixed: no peer gets a permanent refusal because something could not be looked up.',
  );
}

const ANYTHING = { safeParse: (data: unknown) => ({ success: true, data }) } as unknown as z.ZodType<unknown>;

const EVENT_WORDS: Readonly<Record<string, string>> = {
  'audit.changes': 'the files of the audit could not be read: changes are written again after the next start',
  'audit.lose': 'the audit cannot be written, and why: lines of logins and operations are lost; those of changes wait',
  'audit.remove': 'a day of the audit that is older than it is kept could not be removed',
  'audit.resume': 'the audit is written again; `lost` lines were not',
  'admin.fail': 'an operation failed for a reason of ours',
  'database.checkpoint': 'the log could not be written back now; it is tried again',
  'database.refuse': 'an operation or a whole batch was refused',
  'dns.failed': 'an answer could not be made: SERVFAIL',
  'directory.follow':
    'the server that is followed is not there, or refuses us, and is tried again; or has an entry that cannot stand here, which is left out',
  'dns.no-address': 'no address of this host is known that others could use: set `address`',
  'dns.conflict':
    'others have written records in the place of some that a domain wants at its primary: they were left out',
  'dns.notify': 'a secondary was told that a zone has moved, and has answered; or has not, five times',
  'dns.socket': 'the UDP socket reported an error: it is closed, and bound again',
  'dns.observe':
    'a look at a domain that others serve has changed something: its state, keys whose records were seen, what is wrong',
  'dns.publish': 'the records of a domain were written at its primary, or why not: it is tried again',
  'dns.spread': 'the walk through domains that a change of the site means something to was interrupted: it goes on',
  'dns.transfer': 'a zone, or what has changed in it, was given to a secondary: its kind, serial and number of records',
  'dns.unbound': 'a UDP socket could not be bound again, or has failed; it is tried until it is there',
  'dkim.key': 'an entry below ou=Keys holds no key that can sign: mail goes without its signature',
  'dkim.unsigned':
    'a message that leaves this host was not signed, and why: its queue id (of one that was converted on its way out its domain), the reason',
  'dns.unsent': 'an answer could not be sent',
  'file.append': 'a message was to be written to a file: its name, the queue row, the status that came of it',
  'http.submit': 'a message was accepted over HTTP',
  'imap.bug': 'a command ended with an error that is a bug',
  'imap.failure': 'a command failed for a reason of ours',
  'mailbox.expired': 'messages of a folder went because a rule of expiry says so',
  'imap.first-folders': 'an account could not be given its first folders; it is tried again at the next login',
  'imap.login': 'a login',
  'index.message':
    'a message could not be put into the index of its account; it is tried again, and until then searches read it',
  'index.note': 'it could not be written down that an account searches; the next search does it',
  'index.read': 'an index could not be read: the search read the messages',
  'index.rebuild': 'the index of an account is made anew: it was damaged',
  'ldap.bind': 'a bind was refused',
  'ldap.local': 'the Unix socket of LDAP could not be bound: nothing else is missing',
  'ldap.bug': 'an operation ended with an error that is a bug',
  'ldap.fail': 'an operation failed for a reason of ours',
  'ldap.refuse': 'a connection was ended: it sent what is no LDAP',
  'pop3.abort': 'a message could not be read to its end; the connection was closed',
  'pop3.bug': 'a command ended with an error that is a bug',
  'pop3.failure': 'a command failed for a reason of ours',
  'pop3.login': 'a login',
  'proxy.refuse': 'a proxy sent no PROXY header, or a bad one: closed; one line a minute',
  'provisioning.arrive': 'a message asked for a new domain: each step with its milliseconds',
  'program.run': 'a program has been given a message: its name, the queue row, the status it came to, its milliseconds',
  'domain.rename':
    'a domain has another name, an account or list has been left under the old one, or it could not go on and comes again, see [Moves and renames](../moves.md)',
  'server.accept': 'a connection could not be accepted',
  'server.configuration': 'a key of waypost.toml that older versions had is ignored',
  'server.ready': 'every listener accepts',
  'server.restart-thread': 'a thread that died is replaced',
  'server.thread': 'a thread died, and why',
  'smtp.accept': 'a message was accepted',
  'smtp.fail': 'a command failed for a reason of ours',
  'smtp.refuse': 'a message was refused after its dot, for a reason of ours',
  'sync.differ':
    'The daily proof has found rows of the routing tables that are not as their entries say: `sync verify` names them.',
  'sync.ldap':
    'a source of entries has been read and is followed, or could not be had: tried again in a second to a minute, see [OpenLDAP as the source](../openldap-as-the-source.md)',
  'sync.ldap-entry': 'an entry of a source cannot stand here, and is left out',
  'sync.zone':
    'a zone of another server has been taken and the directory follows it, or it could not be had, see [Domains from a zone](../domains-from-a-zone.md)',
  'sync.verify': 'The daily proof has compared every row, or could not be made.',
  'store.collect': 'housekeeping could not write; it comes again',
  'store.damaged':
    'the bytes of a message are not those that were written: it stays where it is, reading it is refused, `mailbox check --bytes` names it',
  'store.rewrite':
    'a segment could not be rewritten just now; it is tried again in ten minutes, or, on a full disk, every ten seconds',
  'store.remove-copy': 'the copy of the store that an upgrade made seven days ago was taken away; `copy` is its name',
  'store.remove-aside': 'a segment that was kept aside for seven days was taken away; `file` is its name',
  'store.segment-aside':
    'A start has found a segment that is newer than the database: an older store.db was put in its place. The file is kept, see [Crashes and full disks](../crashes-and-full-disks.md#files-that-are-missing).',
  'store.segment-back': 'a segment that was kept aside is in its place again: the database that knows it is back',
  'store.segment-missing': 'the file of a segment is missing: its messages cannot be read; `messages` counts them',
  'store.header': 'what format 1 stored of a header could not be read; the message is parsed again from its bytes',
  'store.reparse': 'a message could not be parsed again: it stays as it was, and the next start tries it again',
  'store.reparsed': 'messages of an older parser have been parsed again',
  'store.unlink': "a segment's file could not be removed; the next start does it",
  'tls.authority':
    'The local authority was made anew, because its files could not be used or end soon: who trusts `tls/ca.pem` needs the new one.',
  'tls.handshake': 'a client asked for STARTTLS and made no handshake: the connection was closed',
  'tls.refuse': 'files of a certificate are not used, and why; said once as long as it lasts',
  'tls.serve': 'a certificate that is served after a change; `until` is its end',
  'upkeep.fail': 'a slice of work that no client waits for has failed; it comes again in a minute',
  'transfer.begin': 'the queue could not begin, because the writer takes nothing now; it comes again',
  'transfer.defer': 'a row could not be digested; it waits',
  'transfer.deliver': 'an attempt at another host: its outcome, or a bug',
  'transfer.drop': 'a report was dropped: it cannot reach even the site postmaster',
  'transfer.migrate': 'the options of a queue row of format 1 could not be read; it is taken as 7-bit',
  'transfer.notify':
    'a sender got a report of what has failed, been delayed or succeeded (`action`), or the original could not be read for it',
  'list.derive': 'a list has made a message of its own out of one that was sent to it',
  'list.unasked':
    'a moderator of a list is not asked about a message: the address is refused for good, or leads to the list',
  'quota.warn': 'a user was told that the mailbox is nearly full, or that could not be done just now',
  'quota.count': 'which accounts count for a domain with a limit could not be written just now; it is tried again',
  'transfer.pause': 'the queue pauses, because the writer takes nothing now',
  'submit.bad':
    'a file of the submit folder is no message that may be taken: it is in `bad/` there, and `why` says why',
  'submit.folder': 'the submit folder cannot be read; it is looked at again',
  'submit.later': 'a message of the submit folder could not be taken now; it is tried again',
  'submit.take': 'a message of the submit folder was accepted',
  'submit.watch': 'the submit folder cannot be watched; it is looked at every 30 s',
  'transfer.prune': 'old journeys could not be removed; it comes again',
  'transfer.custody':
    'mail that was kept for a domain has waited in vain: recipients that went to the site postmaster, or failed for who had logged in, and why; or a failure that is tried again',
  'transfer.delay':
    'whose mail is held or in a channel that is paused could not be looked at just now; it is tried again',
  'transfer.future': 'mail whose time has come could not be looked at just now; it is tried again',
  'transfer.release':
    'an administrator (`by`) has released rows of the queue; or held mail could not be sent on just now, and is tried again',
  'transfer.hold': 'an administrator (`by`) has held rows of the queue',
  'transfer.import': 'a message in the text form was taken into the queue; `by` says who has brought it',
  'transfer.connect': 'a connection to another host is open; one that was kept is said no more',
  'transfer.record': 'an outcome could not be written yet; it is tried until it is',
  'transfer.schedule': 'the schedule met a bug; it goes on',
  'transfer.reply': 'a sender has been answered in the absence of a user',
  'transfer.store': 'rows of the queue were delivered on this host',
  'transfer.suspend': 'mail of a user who is suspended was held, goes on, or has come back',
  'transfer.window':
    'a destination cannot be reached: all that is due for it is put off, and after the first wait one probes',
};

function logEvents(): string {
  const events = new Map<string, { levels: Set<string>; files: Set<string> }>();
  for (const file of sources()) {
    const text = readFileSync(file, 'utf8');
    for (const [, level, event] of text.matchAll(
      /\blog\??\.(debug|info|warn|error)\(\s*'([a-z0-9-]+\.[A-Za-z0-9-]+)'/g,
    )) {
      const known = events.get(event!) ?? { levels: new Set(), files: new Set() };
      known.levels.add(level!);
      known.files.add(relative(root, file));
      events.set(event!, known);
    }
  }
  const rows = [...events].sort().map(([event, { levels, files }]) => {
    const words = EVENT_WORDS[event];
    if (words === undefined) throw new Error(`docs/generate.ts has no sentence for the log event ${event}`);
    return [`\`${event}\``, [...levels].sort().join(', '), words, [...files].map((file) => `\`${file}\``).join(', ')];
  });
  return page(
    'Log events',
    'One JSON object a line on standard error. Each has `at`, `level`, `thread`, `event`; `queue` is a queue id, `peer` an address, `detail`\nwhat an administrator may want to know and a peer may not. No password is ever in it.',
    table(['event', 'level', 'what', 'where'], rows),
  );
}

/** RFC number -> the folders and files of src/ that name it. */
export function citedRfcs(): Map<number, Set<string>> {
  const cited = new Map<number, Set<string>>();
  for (const file of sources())
    for (const [, number] of readFileSync(file, 'utf8').matchAll(/RFC (\d{3,5})/g)) {
      const places = cited.get(Number(number)) ?? new Set();
      places.add(relative(root, file).split('/').slice(0, 2).join('/'));
      cited.set(Number(number), places);
    }
  return cited;
}

function rfcs(): string {
  const rows = [...citedRfcs()]
    .sort(([a], [b]) => a - b)
    .map(([number, places]) => [
      `[RFC ${number}](https://www.rfc-editor.org/rfc/rfc${number})`,
      [...places].map((place) => `\`${place}/\``).join(', '),
    ]);
  return page(
    'RFCs',
    'Which RFC is followed where: made from the references in the sources, where the sections stand too. A reference says that the\ncode does what that section says, not that the whole RFC is built.',
    table(['RFC', 'folders'], rows),
  );
}

/** Tests of the IMAP door -> their text. */
function imapTests(): ReadonlyMap<string, string> {
  const below = (folder: string, ends: RegExp): string[] =>
    readdirSync(join(root, folder), { encoding: 'utf8' })
      .filter((name) => ends.test(name))
      .map((name) => `${folder}/${name}`);
  const names = [
    ...below('test/sessions/imap', /\.session$/),
    ...below('test/sessions/smtp', /\.session$/),
    ...below('src/protocols/imap', /\.test\.ts$/),
    ...below('src/wire/imap/commands', /\.test\.ts$/),
  ];
  return new Map(names.sort().map((name) => [name, readFileSync(join(root, name), 'utf8')]));
}

/** What a client is offered with its certificate's name known and the password in TLS, before and after the login. */
function offeredByImap(): ReadonlySet<string> {
  const view = { mechanisms: ['PLAIN'], offersTls: true, messageSizeBytes: 1 };
  const views = [undefined, 1].flatMap((messagesMax) =>
    [false, true].map((authenticated) => ({ ...view, authenticated, messagesMax })),
  );
  const words = views.flatMap((each) => capabilityText(each).split(' '));
  return new Set(words.map((word) => word.replace(/LIMIT=\d+$/, 'LIMIT=')));
}

function textOf(rfc: number | undefined): string {
  return rfc === undefined ? 'a draft' : `[RFC ${rfc}](https://www.rfc-editor.org/rfc/rfc${rfc})`;
}

function imap(): string {
  const offered = offeredByImap();
  const tests = [...imapTests()];
  const rows = IMAP_EXTENSIONS.map(([capability, rfc, brings]) => {
    const cited = new RegExp(rfc === undefined ? capability : `RFC ${rfc}\\b`);
    const names = tests.filter(([, text]) => cited.test(text)).map(([name]) => `\`${name.replace(/^.*\//, '')}\``);
    const isOffered = offered.has(capability) || [...offered].some((word) => word.startsWith(`${capability} `));
    const shown = names.length > 4 ? `${names.slice(0, 4).join(', ')} and ${names.length - 4} more` : names.join(', ');
    return [`\`${capability}\``, isOffered ? textOf(rfc) : '', brings, isOffered ? 'offered' : 'not yet', shown];
  });
  return page(
    'IMAP',
    'What the IMAP door offers, by which text, and which tests have it: `*.session` are in `test/sessions/`, the others beside the\nsources. What is not offered is answered with BAD.',
    table(['capability', 'text', 'brings', 'state', 'tests'], rows),
  );
}

/** Path below docs/ -> text. */
export async function references(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['reference/configuration.md', configuration()],
    ['reference/commands.md', commands()],
    ['reference/api.md', api()],
    ['reference/ports.md', ports()],
    ['reference/metrics.md', metrics()],
    ['reference/failures.md', await failures()],
    ['reference/log-events.md', logEvents()],
    ['reference/rfcs.md', rfcs()],
    ['imap.md', imap()],
  ]);
}

if (import.meta.main) for (const [path, text] of await references()) writeFileSync(join(root, 'docs', path), text);
