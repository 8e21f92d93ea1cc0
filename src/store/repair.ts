// The repair of the store, while mail flows: what the checker names is set right where that loses nothing, and what is gone is named.
//
// In      what the checker takes; a writer; whose an account is
// Out     for each problem what became of it: `repaired`; `gone`, bytes or a message that are not there any more; `left`, with why
// Order   the checker walks (check.ts), each problem is set right in a transaction of its own that looks again (repairs.ts); walks follow
//         until one sets nothing right, PASSES_MAX at most: a row that is made again has counters of its own
// Limits  TRIES where mail moves what was counted
// Never   touches a segment file, or takes away a message that is there

import { stat } from 'node:fs/promises';
import { systemClock } from '../base/clock.ts';
import { type AccountId, idOf } from '../base/ids.ts';
import type { Row, Writer } from '../database/operation.ts';
import { checkStore, countRefs, MAILBOX_CHECK, QUOTA_CHECK, type StoreCheckOptions } from './check.ts';
import type { CheckProblem, ProblemPlace, StoreProblem } from './check-pages.ts';
import { type Fix, RECOVERED, repair } from './repairs.ts';
import { segmentPath } from './segment.ts';

export interface Repaired extends CheckProblem {
  readonly result: 'repaired' | 'gone' | 'left';
}

export interface StoreRepairOptions extends StoreCheckOptions {
  readonly writer: Writer;
  /** The UUID of the entry that says it has this account; undefined: none does. */
  readonly entryOf: (account: AccountId) => string | undefined;
  /** Who gets messages that nobody refers to; undefined: nobody, and they stay where they are. */
  readonly keeper: AccountId | undefined;
}

const PASSES_MAX = 5;
const TRIES = 20;

type Outcome = Pick<Repaired, 'result'> & { readonly detail?: string };

const REPAIRED: Outcome = { result: 'repaired' };
const GONE: Outcome = { result: 'gone' };

export async function* repairStore(options: StoreRepairOptions): AsyncGenerator<Repaired> {
  const named = new Set<string>();
  for (let pass = 1; pass <= PASSES_MAX; pass++) {
    let repaired = 0;
    for await (const found of checkStore({ ...options, bytes: options.bytes && pass === 1 })) {
      const { problem, where, detail } = found;
      const key = `${problem} ${where}`;
      if (named.has(key)) continue;
      const outcome = await setRight(options, found);
      // Right meanwhile: mail has moved, or an earlier fix has done it.
      if (outcome === undefined) continue;
      if (outcome.result === 'repaired' || problem === 'reference to no message') repaired++;
      else named.add(key);
      yield { problem, where, detail, ...outcome };
    }
    if (repaired === 0) return;
  }
}

async function setRight(options: StoreRepairOptions, { problem, at }: StoreProblem): Promise<Outcome | undefined> {
  const { reader, writer } = options;
  const run = async (fix: Fix): Promise<Outcome | undefined> =>
    (await writer.execute(repair, fix)) ? REPAIRED : undefined;
  const account = idOf<AccountId>(at.account ?? 0);
  const of = { account, mailbox: idOf<Extract<Fix, { kind: 'uidnext' }>['mailbox']>(at.mailbox ?? 0) };
  const uid = idOf<Extract<Fix, { kind: 'size' }>['uid']>(at.uid ?? 0);
  switch (problem) {
    case 'counter behind': {
      const used = reader.get(`SELECT max(${at.counter === 'modseq' ? 'modseq' : 'uidvalidity'}) AS used FROM mailbox`);
      return run({ kind: 'counter', name: at.counter!, least: Number(used?.['used']) });
    }
    case 'no account':
      return accountRow(options, account, run);
    case 'no INBOX':
      return run({ kind: 'inbox', account });
    case 'next mailbox':
      return run({ kind: 'next-mailbox', account });
    case 'counters differ':
      return counted(() => mailboxSums(options, at), run);
    case 'uidnext':
      return run({ kind: 'uidnext', ...of });
    case 'mailbox modseq':
      return run({ kind: 'modseq', ...of, least: Number(reader.get(MAILBOX_CHECK, ...keyOf(at))?.['newest'] ?? 0) });
    case 'quota differs':
      return counted(() => quotaSums(options, at), run);
    case 'no quota counter':
      return repeated({ kind: 'quota-root', root: at.root! }, run);
    case 'quota elsewhere':
      return run({ kind: 'as-inbox', ...of });
    case 'reference to no message':
      return (await run({ kind: 'no-message', ...of, uid })) && GONE;
    case 'size differs':
      return run({ kind: 'size', ...of, uid });
    case 'reference to no mailbox':
      if (reader.get('SELECT 1 FROM account WHERE id = ?', account) === undefined)
        return accountRow(options, account, run);
      return run({ kind: 'no-mailbox', ...of });
    case 'refs differ':
      return lostMessage(options, at, run);
    case 'row of nothing':
      return repeated({ kind: 'orphans', table: at.table!, account, ...(at.mailbox === undefined ? {} : of) }, run);
    case 'no segment row':
      return segmentRow(options, at, run);
    case 'no segment file':
    case 'blob beyond file':
    case 'blob cannot be read':
    case 'record header':
    case 'record checksum':
    case 'record hash':
    case 'codec':
      return GONE;
    default:
      return problem satisfies never;
  }
}

async function accountRow({ entryOf }: StoreRepairOptions, account: AccountId, run: Run): Promise<Outcome | undefined> {
  const uuid = entryOf(account);
  if (uuid === undefined)
    return { result: 'left', detail: 'its account does not exist, and no entry of the directory says that it has it' };
  return run({ kind: 'account', account, uuid });
}

type Run = (fix: Fix) => Promise<Outcome | undefined>;

function keyOf({ account, mailbox }: ProblemPlace): [number, number] {
  return [account ?? 0, mailbox ?? 0];
}

/** Counts and sets right, until both have seen the same. `fix` gives undefined where nothing is wrong any more. */
async function counted(fix: () => Fix | undefined, run: Run): Promise<Outcome | undefined> {
  for (let tries = 0; tries < TRIES; tries++) {
    const next = fix();
    if (next === undefined) return undefined;
    const outcome = await run(next);
    if (outcome !== undefined) return outcome;
  }
  return { result: 'left', detail: 'mail came and went each time that it was counted: try again' };
}

/** Slice by slice. */
async function repeated(fix: Fix, run: Run): Promise<Outcome | undefined> {
  let outcome: Outcome | undefined;
  for (let next = await run(fix); next !== undefined; next = await run(fix)) outcome = next;
  return outcome;
}

function mailboxSums({ reader }: StoreRepairOptions, at: ProblemPlace): Fix | undefined {
  const row = reader.get(MAILBOX_CHECK, ...keyOf(at));
  if (row === undefined) return undefined;
  const sums = (messages: string, unseen: string, bytes: string) => ({
    ...{ messages: Number(row[messages]), unseen: Number(row[unseen]), bytes: Number(row[bytes]) },
  });
  const [kept, real] = [sums('messages', 'unseen', 'bytes'), sums('n', 'without_seen', 'size')];
  if (kept.messages === real.messages && kept.unseen === real.unseen && kept.bytes === real.bytes) return undefined;
  return { kind: 'sums', account: idOf(at.account), mailbox: idOf(at.mailbox), kept, counted: real };
}

function quotaSums({ reader }: StoreRepairOptions, { root }: ProblemPlace): Fix | undefined {
  const row: Row | undefined = reader.get(QUOTA_CHECK, root! - 1);
  if (row === undefined || Number(row['id']) !== root) return undefined;
  const kept = { octets: Number(row['octets']), messages: Number(row['messages']) };
  const real = { octets: Number(row['size']), messages: Number(row['n']) };
  if (kept.octets === real.octets && kept.messages === real.messages) return undefined;
  return { kind: 'quota', root, kept, counted: real };
}

function refsOf(options: StoreRepairOptions, { message }: ProblemPlace): Fix | undefined {
  const refs = countRefs(options, message!);
  if (refs === undefined) return undefined;
  const { kept, mailboxes, others } = refs;
  if (kept === mailboxes + others) return undefined;
  const { keeper } = options;
  if (mailboxes + others === 0 && keeper !== undefined) return { kind: 'found', message: idOf(message), kept, keeper };
  return { kind: 'refs', message: idOf(message), kept, counted: mailboxes + others };
}

/** One that nobody refers to stays as it is where nobody can take it. */
async function lostMessage(options: StoreRepairOptions, at: ProblemPlace, run: Run): Promise<Outcome | undefined> {
  let isFound = false;
  let isLost = false;
  const outcome = await counted(() => {
    const fix = refsOf(options, at);
    isFound = fix?.kind === 'found';
    isLost = fix?.kind === 'refs' && fix.counted === 0;
    return isLost ? undefined : fix;
  }, run);
  if (isLost)
    return { result: 'left', detail: 'nobody refers to it, and the postmaster has no mailbox here to put it in' };
  return (
    outcome &&
    (isFound ? { ...outcome, detail: `nobody referred to it: the postmaster has it in ${RECOVERED}` } : outcome)
  );
}

async function segmentRow(
  { segments }: StoreRepairOptions,
  { segment }: ProblemPlace,
  run: Run,
): Promise<Outcome | undefined> {
  try {
    await stat(segmentPath(segments, idOf(segment)));
    return await run({ kind: 'segment', segment: segment!, at: systemClock.now() });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { ...GONE, detail: 'its segment has neither a row nor a file' };
  }
}
