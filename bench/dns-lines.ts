// The lines of the bench about DNS: the processor time of an answer beside BIND's, or beside our own without something else to do.

import { type Asked, ask, type DnsSides, ZONES, ZONES_MANY, zoneDn } from './dns-sides.ts';
import { median } from './figures.ts';
import { type Figures, generating } from './generate.ts';
import { MAILBOXES, type Measured } from './lines.ts';

export interface DnsLine extends Measured {
  readonly ours: (sides: DnsSides) => Promise<Figures>;
}

const SECONDS = 3;
const ANSWERS_BEFORE = 50_000;
const CHANGES_A_SECOND = 20;
const CHANGE_ROUNDS = 3;
const ASKED_A_SECOND = 20_000;
const MESSAGES = 4000;

const rounded = (value: number): number => Number(value.toFixed(2));

/** Of several runs; one that has lost an answer is none. */
function cost(runs: readonly Figures[], of: 'us' | 'us_thread' = 'us'): number {
  const lost = runs.reduce((sum, run) => sum + Number(run['lost']), 0);
  if (lost > 0) throw new Error(`${lost} answers were lost`);
  return median(runs.map((run) => Number(run[of])));
}

function besideBind(zones: number, what: 'mx' | 'all'): DnsLine['ours'] {
  return async (sides) => {
    const { ours, bind } = await sides.zones(zones);
    // Drawn anew: dnsperf begins at the head of its file, and what was asked in the run before would be remembered.
    const run = (side: Asked): Promise<Figures> => ask(side, sides.questions(what), { seconds: SECONDS });
    // Not counted: what is asked often is remembered then, and the code compiled. On a machine with other work that takes several.
    for (const side of [ours, bind])
      for (let answers = 0; answers < ANSWERS_BEFORE; ) answers += Number((await run(side))['answers']);
    const [one, other, two, another] = [await run(ours), await run(bind), await run(ours), await run(bind)];
    const [us, usBind] = [cost([one, two]), cost([other, another])];
    return { ratio: rounded(us / usBind), us: rounded(us), us_bind: rounded(usBind), rate: one['rate']! };
  };
}

async function besideChanges(sides: DnsSides): Promise<Figures> {
  const { ours } = await sides.zones(ZONES);
  const file = sides.questions('mx');
  const run = (): Promise<Figures> => ask(ours, file, { seconds: SECONDS });
  await run();
  const [without, beside]: [Figures[], Figures[]] = [[await run()], []];
  let changed = 0;
  for (let round = 0; round < CHANGE_ROUNDS; round++) {
    const changes = changing(sides, round);
    // A failure is thrown where it is waited for.
    changes.catch(() => {});
    beside.push(await run());
    changed += Number((await changes)['ok']);
    without.push(await run());
  }
  const [us, usWithout] = [cost(beside, 'us_thread'), cost(without, 'us_thread')];
  const [process, processWithout] = [cost(beside), cost(without)];
  return {
    ...{ ratio: rounded(us / usWithout), us: rounded(us), us_without: rounded(usWithout) },
    ...{ ratio_process: rounded(process / processWithout), us_process: rounded(process) },
    ...{ us_process_without: rounded(processWithout), changes: changed, rate: beside[0]!['rate']! },
  };
}

function changing(sides: DnsSides, round: number): Promise<Figures> {
  return generating('ldap-load', [
    ...[...sides.bound, '--mode', 'modify', '--conns', 1, '--rate', CHANGES_A_SECOND],
    ...['--count', CHANGES_A_SECOND * (SECONDS + 1), '--dn', zoneDn, '--users', ZONES],
    ...[
      '--attributes',
      JSON.stringify({ waypostDmarc: `v=DMARC1; p=none; rua=mailto:r{r}x{n}y${round}@d{n}.example` }),
    ],
  ]);
}

async function besideQuestions(sides: DnsSides): Promise<Figures> {
  const { ours } = await sides.zones(ZONES);
  const { server } = sides;
  const deliver = (): Promise<Figures> =>
    generating('smtp-load', [
      ...['--port', server.listeners.smtp.port, '--wait-imap', `127.0.0.1:${server.listeners.imap.port}`],
      ...['--tree', server.pid, '--conns', 20, '--users', MAILBOXES, '--size', 10_240, '--count', MESSAGES],
    ]);
  const rate = (figures: Figures): number => Number(figures['msgs_s']);
  for (let i = 0; i < 2; i++) await deliver();
  const before = rate(await deliver());
  let isDone = false;
  const file = sides.questions('mx');
  const asking = (async () => {
    const runs: Figures[] = [];
    const began = performance.now();
    while (!isDone) runs.push(await ask(ours, file, { seconds: 1, rate: ASKED_A_SECOND }));
    const answers = runs.reduce((sum, run) => sum + Number(run['answers']), 0);
    return { runs, rate: Math.round((answers / (performance.now() - began)) * 1000) };
  })();
  asking.catch(() => {});
  const beside = rate(await deliver());
  isDone = true;
  // Of all the time, that in which a run of dnsperf begins or ends included.
  const { runs, rate: answered } = await asking;
  cost(runs);
  const alone = (before + rate(await deliver())) / 2;
  return { ratio: rounded(beside / alone), msgs_s: beside, msgs_s_alone: Math.round(alone), answers_s: answered };
}

export const DNS_LINES: readonly DnsLine[] = [
  {
    name: 'dns',
    what: `processor time of an answer, MX of ${ZONES.toLocaleString('en')} zones, by BIND's`,
    ours: besideBind(ZONES, 'mx'),
    figure: 'ratio',
    unit: "times BIND's",
    isCost: true,
    against: [],
    bars: {},
    own: 2.7,
  },
  {
    name: 'dns-changes',
    what: `of the thread that answers, with ${CHANGES_A_SECOND} directory changes a second, by that without`,
    ours: besideChanges,
    figure: 'ratio',
    unit: 'times it',
    isCost: true,
    against: [],
    bars: {},
    own: 1.25,
  },
  {
    name: 'dns-deliver',
    what: `deliver while ${ASKED_A_SECOND.toLocaleString('en')} questions a second are answered, by that alone`,
    ours: besideQuestions,
    figure: 'ratio',
    unit: 'of it',
    against: [],
    bars: {},
    own: 0.5,
  },
  {
    name: 'dns-many',
    what: `processor time of an answer, random names and types of ${ZONES_MANY.toLocaleString('en')} zones, by BIND's`,
    ours: besideBind(ZONES_MANY, 'all'),
    figure: 'ratio',
    unit: "times BIND's",
    isCost: true,
    against: [],
    bars: {},
    own: 3.5,
  },
];
