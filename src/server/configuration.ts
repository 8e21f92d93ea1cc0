// The configuration as one frozen value: what must be known before the directory can be read.
//
// In      the text of waypost.toml, the environment, the options of the command line; later wins
// Out     a Configuration; every key has a default, an unknown one is an error
// Errors  Failure 'invalid' with file, line and key

import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { z } from 'zod';
import type { ScramSetting } from '../auth/scram-offer.ts';
import { DURATION_TEXT, DURATION_WORDS, durationMs } from '../base/duration.ts';
import { Failure } from '../base/failure.ts';
import { defaultLimits, type Limits } from '../base/limits.ts';
import type { LogLevel } from '../base/log.ts';
import { DEFAULT_SUFFIX } from '../directory/suffix.ts';
import { normalizeDomain } from '../message/address.ts';
import type { ProxyOptions } from '../net/proxies.ts';
import { suffixProblem } from '../provisioning/suffixes.ts';
import { formatHops, parseHop } from '../routing/destination.ts';
import { newMailboxName } from '../store/mailboxes.ts';
import { machineHostName } from './host-name.ts';
import { tcpListeners } from './listeners.ts';

export interface Configuration {
  /** Lower case, with a dot. */
  readonly hostname: string;
  /** The host name is configured; otherwise the machine's is used, and a persisted one is kept. */
  readonly hostnameGiven: boolean;
  /** Absolute path of the data directory. */
  readonly data: string;
  /** Addresses that every listener binds. */
  readonly listen: readonly string[];
  /** Added to every standard port; `auto`: each listener takes a free one. */
  readonly portOffset: number | 'auto';
  /** Ports of listeners that are the same as at an earlier start, whatever the offset says. */
  readonly ports?: ReadonlyMap<string, number>;
  /** Listeners that are not opened. */
  readonly without: readonly string[];
  /** `address` or `address:port`; empty for the system's. */
  readonly resolver: readonly string[];
  /** Public addresses of this host, for A and AAAA; empty: the concrete listener addresses. */
  readonly address: readonly string[];
  readonly auth: {
    readonly scram: ScramSetting;
    /** Of a login without a domain; undefined: none. */
    readonly defaultDomain: string | undefined;
  };
  /** `none`: this server answers for no zone, and the DNS listeners are not opened. */
  readonly dns: { readonly mode: 'embedded' | 'none' };
  /** `entries`: the policies in the directory alone; `auto`: after them a last one, below a domain that is ours. */
  /** DNs: the first holds all domains. */
  readonly suffixes: readonly string[];
  /** The server whose directory this one follows; undefined: it has a directory of its own. */
  readonly provider: ProviderConfiguration | undefined;
  /** The host of whose entry names none; undefined: this one. Of the provider, known when it was asked. */
  readonly defaultHost?: string;
  readonly provision: { readonly fromMx: 'off' | 'entries' | 'auto' };
  /** Domain -> `[host]:port` or `host:port`, instead of its MX. */
  readonly nextHop: ReadonlyMap<string, string>;
  /** Domain -> how TLS is used with its hosts; `opportunistic` where nothing is said. */
  readonly outgoingTls: ReadonlyMap<string, 'opportunistic' | 'required' | 'off'>;
  /** Absolute path of a PEM file: authorities that count beside Node's roots. */
  readonly outgoingCa: string | undefined;
  /** How long lines of the audit are kept. */
  readonly audit: { readonly keepMs: number };
  /** Peers that pass on connections of others, at these doors. */
  readonly proxy: ProxyOptions;
  /** How long after one proof of the tables the next is made; undefined: only when it is asked for. */
  readonly sync: { readonly verifyMs: number | undefined };
  readonly queue: {
    readonly retryMs: readonly number[];
    readonly expireMs: number;
    /** When the sender is told that mail waits. */
    readonly delaysMs: readonly number[];
  };
  readonly file: {
    /** Absolute path of the folder of files that mail is written to; undefined: `files` in the data directory. */
    readonly folder: string | undefined;
    readonly maxBytes: number;
  };
  /** Absolute path of the folder where local programs hand in mail; undefined: `submit` in the data directory. */
  /** A user is warned whose mailbox has so much of its limit. */
  readonly quota: { readonly warnPercent: number };
  readonly submit: { readonly folder: string | undefined };
  /** Canonical names of the folders that an account gets at its first login; empty: none. */
  readonly store: {
    readonly firstFolders: readonly string[];
    /** Bytes a second that move to other segments, at most. */
    readonly rewriteBytes: number;
    /** For how long a segment is closed before it is compressed; undefined: never. */
    readonly compressMs: number | undefined;
  };
  /** Networks whose peers may say at the SMTP doors for whom they speak. */
  readonly smtp: { readonly xclient: readonly string[] };
  readonly limits: Limits;
  readonly tls: {
    /** Absolute paths of directories with a subfolder a certificate. */
    readonly certificates: readonly string[];
    /** Absolute path of the authorities of client certificates. */
    readonly clientCa: string | undefined;
  };
  readonly log: LogLevel;
  /** Protocol threads. */
  readonly threads: number;
  /** What the server says about the file at its start, a line each. */
  readonly warnings: readonly string[];
}

export interface ProviderConfiguration {
  readonly url: string;
  /** Absolute path of a file that has the password of this host's entry there. */
  readonly passwordFile: string;
}

/** What the command line and the environment say; undefined: nothing. */
export interface Overrides {
  readonly data: string;
  readonly development: boolean;
  readonly hostname: string | undefined;
  readonly listen: string | undefined;
  readonly portOffset: string | undefined;
  readonly log: string | undefined;
}

const UNITS_BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

const duration = z.string().regex(DURATION_TEXT, DURATION_WORDS).transform(durationMs);

const size = z
  .union([z.number().int().positive(), z.string().regex(/^\d{1,9}(B|KiB|MiB|GiB)$/, 'a size such as "50MiB"')])
  .transform((value) => {
    if (typeof value === 'number') return value;
    const unit = value.replace(/^\d+/, '');
    return Number(value.slice(0, -unit.length)) * UNITS_BYTES[unit]!;
  });

const count = z.number().int().min(1).max(1_000_000);
const ipAddress = z.union([z.ipv4(), z.ipv6()], 'an IP address');
const network = z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()], 'an IP address, or address/bits');
const resolverAddress = z
  .string()
  .regex(
    /^(\d{1,3}(\.\d{1,3}){3}(:\d{1,5})?|\[[0-9a-fA-F:.]+\](:\d{1,5})?|[0-9a-fA-F:]+)$/,
    'an IP address, or address:port',
  );
const logLevel = z.enum(['debug', 'info', 'warn', 'error', 'silent']);
const portOffset = z.union(
  [z.number().int().min(0).max(64_000), z.literal('auto')],
  'a number from 0 to 64000, or "auto"',
);

const PROVIDER_URL = /^ldaps?:\/\/[^/?#\s]{1,260}\/?$/i;

const suffixList = z
  .array(z.string().max(1000))
  .min(1)
  .max(20)
  .superRefine((suffixes, context) => {
    const problem = suffixProblem(suffixes);
    if (problem !== undefined) context.addIssue(problem);
  });

/** Host names of this server: a name with a dot, in A-labels. */
const hostName = z.string().transform((text, context) => {
  const name = normalizeDomain(text);
  if (name !== undefined) return name;
  context.addIssue('a host name');
  return z.NEVER;
});

/** A folder that can be made in every account. */
const folderName = z.string().transform((text, context) => {
  try {
    const name = newMailboxName(text);
    if (name !== 'INBOX') return name;
    context.addIssue('a folder other than INBOX: each account has that');
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    context.addIssue(`a name of a folder. ${error.message}`);
  }
  return z.NEVER;
});

const FIRST_FOLDERS = ['Drafts', 'Sent', 'Junk', 'Trash', 'Archive'];

const nextHopTarget = z.string().transform((text, context) => {
  const hop = parseHop(text);
  if (hop !== undefined) return formatHops([hop]);
  context.addIssue('a next hop such as "[192.0.2.1]:2525" or "mail.example:25"');
  return z.NEVER;
});

/** What waypost.toml may hold. The reference of its keys is made from it. */
export const configurationSchema = z.strictObject({
  hostname: hostName.optional(),
  data: z.string().min(1).optional(),
  listen: z.array(ipAddress).min(1).optional(),
  'port-offset': portOffset.optional(),
  without: z.array(z.enum(tcpListeners)).max(tcpListeners.length).optional(),
  resolver: z.array(resolverAddress).max(10).optional(),
  address: z.array(ipAddress).max(20).optional(),
  threads: z.number().int().min(1).max(32).optional(),
  log: logLevel.optional(),
  auth: z
    .strictObject({ scram: z.enum(['auto', 'on', 'off']).optional(), 'default-domain': hostName.optional() })
    .optional(),
  dns: z.strictObject({ mode: z.enum(['embedded', 'none']).optional() }).optional(),
  directory: z
    .strictObject({
      suffix: suffixList.optional(),
      provider: z.string().regex(PROVIDER_URL, 'a URL such as "ldaps://mx1.example"').optional(),
      'password-file': z.string().min(1).optional(),
    })
    .refine(({ provider, 'password-file': file }) => (provider === undefined) === (file === undefined), {
      error: 'provider and password-file together',
      path: ['provider'],
    })
    .optional(),
  provision: z.strictObject({ 'from-mx': z.enum(['off', 'auto']).optional() }).optional(),
  'next-hop': z.record(z.string(), nextHopTarget).optional(),
  'outgoing-tls': z.record(z.string(), z.enum(['opportunistic', 'required', 'off'])).optional(),
  tls: z
    .strictObject({
      certificates: z.array(z.string().min(1)).max(100).optional(),
      'client-ca': z.string().min(1).optional(),
      'outgoing-ca': z.string().min(1).optional(),
    })
    .optional(),
  audit: z.strictObject({ keep: duration.optional() }).optional(),
  sync: z.strictObject({ verify: z.union([z.literal('off'), duration]).optional() }).optional(),
  proxy: z
    .strictObject({
      trusted: z.array(network).max(1000).optional(),
      listeners: z.array(z.enum(tcpListeners)).max(tcpListeners.length).optional(),
    })
    .optional(),
  queue: z
    .strictObject({
      retry: z.array(duration).min(1).max(50).optional(),
      expire: duration.optional(),
      delay: duration.optional(),
    })
    .optional(),
  quota: z.strictObject({ warn: z.number().int().min(1).max(100).optional() }).optional(),
  file: z.strictObject({ folder: z.string().min(1).optional(), max: size.optional() }).optional(),
  submit: z.strictObject({ folder: z.string().min(1).optional() }).optional(),
  store: z
    .strictObject({
      'first-folders': z.array(folderName).max(50).optional(),
      rewrite: size.optional(),
      compress: z.union([z.literal('never'), duration]).optional(),
    })
    .optional(),
  // RFC 9738 §3: not lower than 1000.
  imap: z.strictObject({ 'message-limit': z.number().int().min(1000).max(1_000_000).optional() }).optional(),
  smtp: z.strictObject({ xclient: z.array(network).max(1000).optional() }).optional(),
  limits: z
    .strictObject({
      'message-size': size.optional(),
      recipients: count.optional(),
      'bad-commands': count.optional(),
      'command-timeout': duration.optional(),
      'login-timeout': duration.optional(),
      'idle-timeout': duration.optional(),
      connections: count.optional(),
      'connections-per-peer': count.optional(),
      'smtp-connections-per-peer': count.optional(),
      deliveries: count.optional(),
    })
    .optional(),
});

type File = z.infer<typeof configurationSchema>;

/** The key `queue.retry` and the line on which it stands, 1 when it is not to be found. */
function lineOf(text: string, path: readonly PropertyKey[]): number {
  const lines = text.split('\n');
  const table = path.length > 1 ? String(path[0]) : '';
  const key = String(path[path.length > 1 ? 1 : 0] ?? '');
  let current = '';
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!.trim();
    const header = /^\[+\s*"?([^\]"]+?)"?\s*\]+/.exec(line);
    if (header !== null) {
      current = header[1]!;
      if (path.length === 1 && current === key) return i + 1;
      continue;
    }
    const name = /^("[^"]*"|'[^']*'|[A-Za-z0-9_.-]+)\s*=/.exec(line)?.[1]?.replace(/^["']|["']$/g, '');
    if (name === undefined) continue;
    if (current === table && name === key) return i + 1;
    if (current === '' && table !== '' && (name === `${table}.${key}` || name === table)) return i + 1;
  }
  return 1;
}

/** Keys of older files with the one value that each could have: they change nothing, and a server that has them starts. */
const RETIRED: Readonly<Record<string, unknown>> = { suffix: 'o=internet' };

interface ParsedFile {
  readonly file: File;
  /** A line for each retired key. */
  readonly retired: readonly string[];
}

function parseFile(text: string, fileName: string): ParsedFile {
  let values: Record<string, unknown>;
  try {
    values = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const words = error.message.replace(/^Invalid TOML document: /, '').split('\n')[0];
    const key = /^\s*("[^"]*"|[A-Za-z0-9_.-]+)\s*=/.exec(text.split('\n')[error.line - 1] ?? '')?.[1];
    throw new Failure('invalid', `${fileName}:${error.line}: ${key === undefined ? '' : `${key}: `}${words}`);
  }
  const retired: string[] = [];
  for (const [key, value] of Object.entries(RETIRED)) {
    if (values[key] !== value) continue;
    delete values[key];
    retired.push(`${fileName}:${lineOf(text, [key])}: ${key}: there is no such key any more, it is ignored`);
  }
  const result = configurationSchema.safeParse(values);
  if (result.success) return { file: result.data, retired };
  const issue = result.error.issues[0]!;
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const path = unknown === undefined ? issue.path : [...issue.path, unknown];
  const words =
    unknown === undefined ? `expected ${issue.message.replace(/^Invalid input: expected /, '')}` : 'unknown key';
  throw new Failure('invalid', `${fileName}:${lineOf(text, path)}: ${path.join('.')}: ${words}`);
}

function override<T>(name: string, text: string | undefined, type: z.ZodType<T>): T | undefined {
  if (text === undefined || text === '') return undefined;
  const value = type.safeParse(/^\d+$/.test(text) ? Number(text) : text);
  if (value.success) return value.data;
  throw new Failure('invalid', `${name}: expected ${value.error.issues[0]!.message}`);
}

function limitsOf({ limits: given = {}, imap }: File): Limits {
  return {
    messageSizeBytes: given['message-size'] ?? defaultLimits.messageSizeBytes,
    recipientsMax: given.recipients ?? defaultLimits.recipientsMax,
    badCommandsMax: given['bad-commands'] ?? defaultLimits.badCommandsMax,
    commandTimeoutMs: given['command-timeout'] ?? defaultLimits.commandTimeoutMs,
    loginTimeoutMs: given['login-timeout'] ?? defaultLimits.loginTimeoutMs,
    idleTimeoutMs: given['idle-timeout'] ?? defaultLimits.idleTimeoutMs,
    connectionsMax: given.connections ?? defaultLimits.connectionsMax,
    connectionsPerPeerMax: given['connections-per-peer'] ?? defaultLimits.connectionsPerPeerMax,
    smtpConnectionsPerPeerMax: given['smtp-connections-per-peer'] ?? defaultLimits.smtpConnectionsPerPeerMax,
    deliveriesMax: given.deliveries ?? defaultLimits.deliveriesMax,
    imapMessagesMax: imap?.['message-limit'],
  };
}

function byDomain<T>(table: Readonly<Record<string, T>> | undefined): ReadonlyMap<string, T> {
  return new Map(
    Object.entries(table ?? {}).map(([domain, value]) => [normalizeDomain(domain) ?? domain.toLowerCase(), value]),
  );
}

const addressList = z.string().transform((text, context) => {
  const list = text.split(',').map((part) => part.trim());
  if (list.every((part) => ipAddress.safeParse(part).success)) return list;
  context.addIssue('IP addresses with a comma between');
  return z.NEVER;
});

/** `text` is the file's, undefined for none. Pure but for the machine's name and cores. */
export function configure(text: string | undefined, fileName: string, overrides: Overrides): Configuration {
  const { file, retired } = text === undefined ? { file: {}, retired: [] } : parseFile(text, fileName);
  const given = override('WAYPOST_HOSTNAME', overrides.hostname, hostName) ?? file.hostname;
  const hostname = given === undefined ? machineHostName() : given.includes('.') ? given : `${given}.localdomain`;
  const { development } = overrides;
  const outgoingCa = file.tls?.['outgoing-ca'];
  const submitFolder = file.submit?.folder;
  return Object.freeze({
    hostname,
    hostnameGiven: given !== undefined,
    data: file.data === undefined ? overrides.data : resolve(dirname(fileName), file.data),
    listen:
      override('WAYPOST_LISTEN', overrides.listen, addressList) ??
      file.listen ??
      (development ? ['127.0.0.1'] : ['0.0.0.0']),
    portOffset:
      override('WAYPOST_PORT_OFFSET', overrides.portOffset, portOffset) ??
      file['port-offset'] ??
      (development ? 1000 : 0),
    without: file.dns?.mode === 'none' ? [...new Set([...(file.without ?? []), 'dns'])] : (file.without ?? []),
    resolver: file.resolver ?? [],
    address: file.address ?? [],
    auth: { scram: file.auth?.scram ?? 'auto', defaultDomain: file.auth?.['default-domain'] },
    dns: { mode: file.dns?.mode ?? 'embedded' },
    suffixes: file.directory?.suffix ?? [DEFAULT_SUFFIX],
    provider: providerOf(file.directory, fileName),
    provision: { fromMx: file.provision?.['from-mx'] ?? ('entries' as const) },
    nextHop: byDomain(file['next-hop']),
    outgoingTls: byDomain(file['outgoing-tls']),
    outgoingCa: outgoingCa === undefined ? undefined : resolve(dirname(fileName), outgoingCa),
    audit: { keepMs: file.audit?.keep ?? 90 * 86_400_000 },
    sync: { verifyMs: verifyMsOf(file.sync?.verify) },
    proxy: {
      trusted: file.proxy?.trusted ?? [],
      listeners:
        file.proxy?.listeners ?? tcpListeners.filter((name) => name !== 'dns' && name !== 'http' && name !== 'lmtp'),
    },
    queue: {
      retryMs: file.queue?.retry ?? [60_000, 300_000, 900_000, 1_800_000, 3_600_000],
      expireMs: file.queue?.expire ?? 432_000_000,
      delaysMs: [file.queue?.delay ?? 14_400_000],
    },
    quota: { warnPercent: file.quota?.warn ?? 90 },
    file: {
      folder: file.file?.folder === undefined ? undefined : resolve(dirname(fileName), file.file.folder),
      maxBytes: file.file?.max ?? 1024 ** 3,
    },
    submit: { folder: submitFolder === undefined ? undefined : resolve(dirname(fileName), submitFolder) },
    store: storeOf(file.store),
    smtp: { xclient: file.smtp?.xclient ?? [] },
    limits: limitsOf(file),
    tls: {
      certificates: (file.tls?.certificates ?? []).map((path) => resolve(dirname(fileName), path)),
      clientCa: file.tls?.['client-ca'] === undefined ? undefined : resolve(dirname(fileName), file.tls['client-ca']),
    },
    log: override('WAYPOST_LOG', overrides.log, logLevel) ?? file.log ?? 'info',
    // One core is the writer's: with as many protocol threads as cores a delivery costs a quarter more.
    threads: file.threads ?? Math.min(32, Math.max(1, availableParallelism() - 1)),
    warnings: retired,
  });
}

function storeOf(store: File['store']): Configuration['store'] {
  const { compress = 7 * 86_400_000 } = store ?? {};
  return {
    firstFolders: store?.['first-folders'] ?? FIRST_FOLDERS,
    rewriteBytes: store?.rewrite ?? 16 * 1024 ** 2,
    compressMs: compress === 'never' ? undefined : compress,
  };
}

function providerOf(directory: File['directory'], fileName: string): ProviderConfiguration | undefined {
  const { provider, 'password-file': passwordFile } = directory ?? {};
  if (provider === undefined || passwordFile === undefined) return undefined;
  return { url: provider, passwordFile: resolve(dirname(fileName), passwordFile) };
}

function verifyMsOf(verify: 'off' | number | undefined): number | undefined {
  return verify === 'off' ? undefined : (verify ?? 86_400_000);
}
