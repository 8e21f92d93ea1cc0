// The lines of the bench: which load goes to a side, and which figure of the generator counts.

import { median } from './figures.ts';
import { type Figures, generate } from './generate.ts';
import { PASSWORD, type PeerName, SIGNED, type Side, UNSIGNED } from './sides.ts';

/** What is judged of a line's runs. */
export interface Measured {
  readonly name: string;
  readonly what: string;
  readonly figure: string;
  readonly unit: string;
  /** Less is better, as of memory: the ratio is the other side's figure by ours. */
  readonly isCost?: true;
  /** Of several runs the largest figure counts. */
  readonly isWorst?: true;
  /** Runs of each side before those that count: what is judged is a server that has been running for a while. */
  readonly warmUp?: number;
  readonly against: readonly PeerName[];
  /** The ratio is at least this. */
  readonly bars: Partial<Record<PeerName, number>>;
  /** The figure is a ratio of two of our own: at least this, where it is a cost at most. */
  readonly own?: number;
}

export interface Line extends Measured {
  /** Arguments for this side. The count is only how long it takes: rates are compared. `other`: where one is needed. */
  readonly run: (side: Side, offset: number, other?: Side) => Figures;
  /** It takes turns with a second Waypost, which has the same users. */
  readonly needsOther?: true;
  /** Each run gets mailboxes that nothing has been delivered to. */
  readonly isFresh?: true;
}

/** Of deliveries, for either side: V8 compiles during the first of them, and the second one still costs a tenth more. */
const WARM_UP = 2;
/** Fresh mailboxes of one run. */
export const MAILBOXES = 100;

const isOurs = ({ name }: Side): boolean => name === 'waypost' || name === 'before';

function deliveries(size: number, rcpts: number, ours: number, theirs: number): Line['run'] {
  return (side, offset) =>
    generate('smtp-load', [
      ...['--port', side.smtp, '--wait-imap', `127.0.0.1:${side.imap}`, '--tree', side.pids, '--conns', 20],
      ...['--users', MAILBOXES, '--offset', offset, '--size', size, '--rcpts', rcpts],
      ...['--count', isOurs(side) ? ours : theirs],
    ]);
}

function imap(mode: string, ours: number, theirs: number, extra: readonly (string | number)[]): Line['run'] {
  return (side, offset) =>
    generate('imap-load', [
      ...['--port', side.imap, '--tree', side.pids, '--mode', mode, '--offset', offset, '--users', 10],
      ...['--count', isOurs(side) ? ours : theirs, ...extra],
    ]);
}

/** Ours with Argon2id, each account seen before, which a mail client's are; Dovecot's passwords are in the clear. */
function logins(side: Side, offset: number, door: readonly (string | number)[] = ['--port', side.imap]): Figures {
  const users = ['--mode', 'login', ...door, '--users', 50, '--offset', offset, '--conns', 10];
  generate('imap-load', [...users, '--count', 50]);
  return generate('imap-load', [...users, '--tree', side.pids, '--count', isOurs(side) ? 3000 : 300]);
}

/** A mailbox of so many small messages, made once on each side. */
const LARGE = 10_000;
const large = new Map<Side, number>();

function ofLargeMailbox(items: string, ours: number, theirs: number): Line['run'] {
  return (side, offset) => {
    const user = ['--users', 1, '--offset', large.get(side) ?? offset, '--port', side.imap];
    if (!large.has(side)) {
      large.set(side, offset);
      generate('imap-load', [...user, '--mode', 'append', '--conns', 10, '--size', 1024, '--count', LARGE]);
    }
    const fetch = ['--mode', 'fetch', '--conns', 1, '--items', items, '--count', isOurs(side) ? ours : theirs];
    generate('imap-load', [...user, ...fetch.slice(0, -1), 1]);
    return generate('imap-load', [...user, ...fetch, '--tree', side.pids]);
  };
}

function overTls(side: Side): readonly (string | number)[] {
  if (side.imaps === undefined) throw new Error('this side has no imaps');
  return ['--tls', '--port', side.imaps];
}

/** RCPT alone, of people who were asked for before; a twentieth of the count are transactions. */
function rcpts(side: Side, offset: number): Figures {
  return generate('smtp-load', [
    ...['--port', side.smtp, '--tree', side.pids, '--conns', 20, '--rcpt-only', 20],
    ...['--users', MAILBOXES, '--offset', offset, '--count', isOurs(side) ? 400_000 : 10_000],
  ]);
}

/** To another host, which keeps nothing. */
function relayed(side: Side, count: number, extra: readonly string[] = []): Figures {
  return generate('smtp-load', [
    ...['--port', side.smtp, '--sink', side.sink, '--tree', side.pids, '--conns', 20, ...extra],
    ...['--user', 's{n}@sink.example', '--users', MAILBOXES, '--size', 5120, '--count', count],
  ]);
}

/** Likewise, by an account that logs in where it has to: all of it leaves signed, or none. */
function submitted(side: Side, domain: string, count: number): Figures {
  const from = `u0@${domain}`;
  const login = side.submission === undefined ? [] : ['--auth', `${from}:${PASSWORD}`];
  const figures = relayed({ ...side, smtp: side.submission ?? side.smtp }, count, ['--from', from, ...login]);
  const wanted = domain === UNSIGNED ? 0 : count;
  if (figures['sink_signed'] !== wanted) throw new Error(`${figures['sink_signed']} of ${count} messages were signed`);
  return figures;
}

/** What signing costs a message: with both signatures, and without. */
function signing(side: Side): Figures {
  const [unsigned, signed] = [UNSIGNED, SIGNED].map((domain) =>
    Number(submitted(side, domain, 3000)['server_cpu_ms_each']),
  );
  return { ms_more: Math.round(100 * (signed! - unsigned!)) / 100, ms_signed: signed!, ms_unsigned: unsigned! };
}

/** So many rows wait for a host that is not there. */
const BACKLOG = 100_000;
/** By turns: a machine's moments make more difference than the rows do. */
const BACKLOG_TURNS = 5;

const BESIDE_BACKLOG = {
  'relay-backlog': (side: Side) => relayed(side, 2000),
  'deliver-backlog': deliveries(10_240, 1, 3000, 0),
} as const;

/** Of each line, once: the first runs compile the code, and do so again for what came with the rows. */
function warm(sides: readonly Side[], offset: number): void {
  for (const line of Object.values(BESIDE_BACKLOG))
    for (let run = 0; run < 2 * WARM_UP; run++) for (const side of sides) line(side, offset);
}

let hasBacklog = false;

function makeBacklog(side: Side, other: Side, offset: number): void {
  if (hasBacklog) return;
  hasBacklog = true;
  warm([side, other], offset);
  generate('smtp-load', [
    ...['--port', side.smtp, '--tree', side.pids, '--conns', 4, '--wait-quiet', '--size', 1024],
    ...['--user', 'w{n}@waiting.example', '--users', 100, '--rcpts', 100, '--count', BACKLOG / 100],
  ]);
  warm([side, other], offset);
}

/** A message's processor time where BACKLOG rows wait, beside what it is at another server where none does. */
function besideBacklog(name: keyof typeof BESIDE_BACKLOG): Line['run'] {
  return (side, offset, other) => {
    if (other === undefined) throw new Error('no server without rows that wait');
    makeBacklog(side, other, offset);
    const costs = { with: [] as number[], without: [] as number[] };
    for (let turn = 0; turn < BACKLOG_TURNS; turn++) {
      costs.with.push(Number(BESIDE_BACKLOG[name](side, offset)['server_cpu_ms_each']));
      costs.without.push(Number(BESIDE_BACKLOG[name](other, offset)['server_cpu_ms_each']));
    }
    const [ms_with, ms_without] = [median(costs.with), median(costs.without)];
    return { ratio: Math.round((100 * ms_with) / ms_without) / 100, ms_with, ms_without };
  };
}

/** A mailbox of 1,000 messages, filled before the clock runs, then read by sessions one after another. */
function pop3(side: Side, offset: number): Figures {
  const user = ['--users', 1, '--offset', offset];
  generate('imap-load', [...['--port', side.imap, '--mode', 'append', '--conns', 4, '--count', 1000], ...user]);
  return generate('pop3-load', [...['--port', side.pop3, '--tree', side.pids, '--count', 5], ...user]);
}

/** Messages of the mailbox that is searched, of 8 KB; one in a hundred has the word. */
const SEARCHED = 10_000;
const filled = new Set<string>();

/** A word in one of a hundred messages, once ours are indexed; the other has no index. */
function searchText(side: Side, offset: number): Figures {
  const word = ['--word', 'quarterly', '--users', 1, '--offset', offset + MAILBOXES - 1, '--port', side.imap];
  if (!filled.has(side.name))
    generate('imap-load', ['--mode', 'append', '--conns', 4, '--size', 8192, '--count', SEARCHED, ...word]);
  filled.add(side.name);
  const metrics = side.http === undefined ? [] : ['--metrics', `http://127.0.0.1:${side.http}/metrics`];
  const count = isOurs(side) ? 40 : 3;
  const search = ['--mode', 'search', '--conns', 1, '--tree', side.pids, '--count', count, ...metrics];
  const figures = generate('imap-load', [...search, ...word]);
  if (figures['hits'] !== SEARCHED / 100) throw new Error(`${figures['hits']} messages were found`);
  return figures;
}

export const LINES: readonly Line[] = [
  // First: a server that has been under load has memory to spare, and new sessions seem to cost nothing.
  {
    name: 'idle-tls',
    what: '1,000 idle sessions over TLS, memory of each',
    run: (side, offset) =>
      generate('imap-load', [
        ...[...overTls(side), '--tree', side.pids, '--mode', 'idle', '--conns', 1000],
        ...['--users', MAILBOXES, '--offset', offset],
      ]),
    figure: 'kib_per_conn',
    unit: 'KiB',
    isCost: true,
    isWorst: true,
    against: ['shipped'],
    bars: { shipped: 7 },
  },
  {
    name: 'deliver',
    what: '10 KB, 20 connections, 1 recipient',
    run: deliveries(10_240, 1, 8000, 1000),
    warmUp: WARM_UP,
    isFresh: true,
    figure: 'msgs_s',
    unit: 'messages/s in the mailbox',
    against: ['shipped'],
    bars: { shipped: 10 },
  },
  {
    name: 'deliver-20',
    what: '10 KB, 20 connections, 20 recipients',
    run: deliveries(10_240, 20, 2000, 150),
    warmUp: WARM_UP,
    isFresh: true,
    figure: 'deliveries_s',
    unit: 'deliveries/s',
    against: ['shipped'],
    bars: { shipped: 20 },
  },
  {
    name: 'login',
    what: 'login + SELECT + LOGOUT, 10 connections',
    run: (side, offset) => logins(side, offset),
    figure: 'logins_s',
    unit: 'sessions/s',
    against: ['shipped', 'fast'],
    bars: { shipped: 5, fast: 2 },
  },
  {
    name: 'login-list',
    what: 'login + LIST + SELECT + LOGOUT, 10 connections',
    run: (side, offset) => logins(side, offset, ['--port', side.imap, '--list']),
    figure: 'logins_s',
    unit: 'sessions/s',
    against: ['shipped'],
    bars: { shipped: 3 },
  },
  {
    name: 'login-tls',
    what: 'full TLS handshake (P-256), login + SELECT + LOGOUT, 10 connections',
    run: (side, offset) => logins(side, offset, overTls(side)),
    figure: 'logins_s',
    unit: 'sessions/s',
    against: ['shipped'],
    bars: { shipped: 2 },
  },
  {
    name: 'relay',
    what: '5 KB, 20 connections in, relayed to a sink that has all of them at the end',
    run: (side) => relayed(side, 3000),
    figure: 'msgs_s',
    unit: 'messages/s in the sink',
    against: ['shipped'],
    bars: { shipped: 1.5 },
  },
  {
    name: 'relay-cost',
    what: 'the same, processor time of a message',
    run: (side) => relayed(side, 3000),
    figure: 'server_cpu_ms_each',
    unit: 'ms of processor time',
    isCost: true,
    against: ['shipped'],
    bars: { shipped: 2.5 },
  },
  {
    name: 'rcpt',
    what: 'RCPT of 100 users, 20 connections, 20 a transaction, no data',
    run: rcpts,
    figure: 'rcpt_s',
    unit: 'RCPT/s',
    against: ['shipped'],
    bars: {},
  },
  {
    name: 'relay-unsigned',
    what: 'the same, submitted with a login, from a domain with waypostOmitRecord: dkim',
    run: (side) => submitted(side, UNSIGNED, 3000),
    figure: 'msgs_s',
    unit: 'messages/s in the sink',
    against: ['shipped'],
    bars: { shipped: 1.5 },
  },
  {
    name: 'relay-signed',
    what: 'the same, signed: RSA and Ed25519; the other: RSA',
    run: (side) => submitted(side, SIGNED, 3000),
    figure: 'server_cpu_ms_each',
    unit: 'ms of processor time',
    isCost: true,
    against: ['opendkim'],
    bars: { opendkim: 2 },
  },
  {
    name: 'signing',
    what: 'processor time more of a message that is signed',
    run: signing,
    figure: 'ms_more',
    unit: 'ms of processor time',
    isCost: true,
    against: [],
    bars: {},
    own: 1,
  },
  {
    name: 'relay-conns',
    what: 'the same, connections to the sink',
    run: (side) => relayed(side, 3000),
    figure: 'sink_conns',
    unit: 'connections',
    isCost: true,
    against: [],
    bars: {},
    own: 40,
  },
  {
    name: 'deliver-1k',
    what: '1 KB, 20 connections, 1 recipient',
    run: deliveries(1024, 1, 8000, 1000),
    isFresh: true,
    figure: 'msgs_s',
    unit: 'messages/s in the mailbox',
    against: ['shipped'],
    bars: {},
  },
  {
    name: 'deliver-100k',
    what: '100 KB, 20 connections, 1 recipient',
    run: deliveries(102_400, 1, 2000, 500),
    isFresh: true,
    figure: 'msgs_s',
    unit: 'messages/s in the mailbox',
    against: ['shipped'],
    bars: {},
  },
  {
    name: 'append',
    what: 'APPEND 10 KB, 10 connections, 10 users',
    run: imap('append', 3000, 1500, ['--conns', 10]),
    figure: 'appends_s',
    unit: 'messages/s',
    against: ['shipped'],
    bars: { shipped: 2 },
  },
  {
    name: 'fetch-envelope',
    what: 'FETCH 1:* (FLAGS ENVELOPE), 4 connections, after APPEND',
    run: imap('fetch', 400, 400, ['--conns', 4]),
    figure: 'msgs_s',
    unit: 'messages/s',
    against: ['shipped'],
    bars: {},
  },
  {
    name: 'fetch-body',
    what: 'FETCH 1:* BODY.PEEK[], 1 connection, after APPEND',
    run: imap('fetch', 20, 20, ['--conns', 1, '--items', 'BODY.PEEK[]']),
    figure: 'msgs_s',
    unit: 'messages/s',
    against: ['shipped'],
    bars: { shipped: 1.2 },
  },
  {
    name: 'fetch-flags',
    what: 'FETCH 1:* FLAGS of 10,000 messages, 1 connection',
    run: ofLargeMailbox('FLAGS', 40, 40),
    figure: 'msgs_s',
    unit: 'messages/s',
    against: ['shipped'],
    bars: { shipped: 0.7 },
  },
  {
    name: 'fetch-list',
    what: 'FETCH 1:* (FLAGS ENVELOPE) of 10,000 messages, 1 connection; the second time, so that Dovecot has it cached',
    run: ofLargeMailbox('(FLAGS ENVELOPE)', 10, 10),
    figure: 'msgs_s',
    unit: 'messages/s',
    against: ['shipped'],
    bars: { shipped: 1 },
  },
  {
    name: 'store',
    what: 'STORE one message a command, 10 connections, after APPEND (Dovecot does not sync flags)',
    run: imap('store', 5000, 5000, ['--conns', 10]),
    figure: 'stores_s',
    unit: 'commands/s',
    against: ['shipped'],
    bars: { shipped: 1.2 },
  },
  {
    name: 'move',
    what: 'MOVE one message a command, 10 connections, after APPEND (Dovecot does not sync)',
    run: imap('move', 2000, 2000, ['--conns', 10]),
    figure: 'moves_s',
    unit: 'commands/s',
    against: ['shipped'],
    bars: { shipped: 1.2 },
  },
  {
    name: 'search-text',
    what: 'SEARCH TEXT for a word in one of a hundred of 10,000 messages, once ours are in the index; Dovecot has none',
    run: searchText,
    warmUp: 1,
    figure: 'ms_each',
    unit: 'ms a search',
    isCost: true,
    against: ['shipped'],
    bars: { shipped: 20 },
  },
  {
    name: 'pop3',
    what: 'POP3: STAT, RETR of 1,000 messages of 10 KB, QUIT',
    run: pop3,
    isFresh: true,
    figure: 'msgs_s',
    unit: 'messages/s',
    against: ['shipped'],
    bars: { shipped: 1 },
  },
  // Last: what waits stays.
  {
    name: 'relay-backlog',
    what: `relay while ${BACKLOG.toLocaleString('en')} rows wait, processor time by that of a server without them`,
    run: besideBacklog('relay-backlog'),
    needsOther: true,
    figure: 'ratio',
    unit: 'times',
    isCost: true,
    against: [],
    bars: {},
    own: 1.1,
  },
  {
    name: 'deliver-backlog',
    what: `deliver while ${BACKLOG.toLocaleString('en')} rows wait, processor time by that of a server without them`,
    run: besideBacklog('deliver-backlog'),
    needsOther: true,
    figure: 'ratio',
    unit: 'times',
    isCost: true,
    against: [],
    bars: {},
    own: 1.1,
  },
];
