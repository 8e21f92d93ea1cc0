// The arguments of sendmail, as programs have written them for forty years.
//
// In      argv behind the name
// Out     what is asked for; Failure 'unsupported' (exit 64) for what is no option of it
// Options may stand anywhere before `--`; letters without a value may be put together; a value may follow at once or as the
// next word. `-o`, `-O` and `-X` say how another program is to work: they are taken and forgotten, but for `-oi`.
// RFC 3461 §4 (-N -R -V), RFC 6152 §2 (-B)

import { Failure } from '../../base/failure.ts';
import type { BodyKind, NotifyWord } from '../../message/envelope.ts';

export interface SendmailArguments {
  /** A message on standard input; an SMTP session on it (-bs); the queue (-bp); try it now (-q). */
  readonly mode: 'message' | 'session' | 'list' | 'retry';
  /** As written. */
  readonly recipients: readonly string[];
  /** -t: those of the header too. */
  readonly isFromHeader: boolean;
  /** -i: a line that is a dot is text. */
  readonly isDotText: boolean;
  /** -f, -r: as written; '' and '<>' are the null sender. */
  readonly sender: string | undefined;
  /** -F: for the From field of a message without one. */
  readonly fullName: string | undefined;
  /** -G: the message has had its author's program already; nothing is added. */
  readonly isGateway: boolean;
  readonly isVerbose: boolean;
  readonly notify: readonly NotifyWord[] | undefined;
  readonly ret: 'FULL' | 'HDRS' | undefined;
  readonly envid: string | undefined;
  readonly body: BodyKind | undefined;
  /** --data and --config, which are ours: where the server is. */
  readonly data: string | undefined;
  readonly config: string | undefined;
}

/** Those that have a value. `q` may have one, at once behind it. */
const WITH_VALUE = 'fFrNRVBboOXA';
/** What old programs say and nobody needs. */
const FORGOTTEN = 'nmUoOXA';
const OURS: Readonly<Record<string, 'data' | 'config'>> = { '--data': 'data', '--config': 'config' };
const ENVID_MAX = 100;

type Draft = { -readonly [Key in keyof SendmailArguments]: SendmailArguments[Key] };

export function parseSendmail(argv: readonly string[]): SendmailArguments {
  const recipients: string[] = [];
  const draft: Draft = {
    mode: 'message',
    recipients,
    isFromHeader: false,
    isDotText: false,
    sender: undefined,
    fullName: undefined,
    isGateway: false,
    isVerbose: false,
    notify: undefined,
    ret: undefined,
    envid: undefined,
    body: undefined,
    data: undefined,
    config: undefined,
  };
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!;
    if (word === '--') {
      recipients.push(...argv.slice(at + 1));
      break;
    }
    const own = OURS[word];
    if (own !== undefined) draft[own] = valueFor(word, argv[++at]);
    else if (word.startsWith('-') && word.length > 1) at += readLetters(draft, word, argv[at + 1]);
    else recipients.push(word);
  }
  return draft;
}

/** Gives 1 where the next word was the value of its last letter. */
function readLetters(draft: Draft, word: string, next: string | undefined): 0 | 1 {
  for (let at = 1; at < word.length; at++) {
    const letter = word.charAt(at);
    const rest = word.slice(at + 1);
    if (letter === 'q') {
      if (rest !== '' && !/^\d/.test(rest)) throw usage(`-q${rest}`, 'is no option here: see `waypost queue retry`');
      draft.mode = 'retry';
      return 0;
    }
    if (!WITH_VALUE.includes(letter)) {
      setLetter(draft, letter);
      continue;
    }
    setValue(draft, letter, rest === '' ? valueFor(`-${letter}`, next) : rest);
    return rest === '' ? 1 : 0;
  }
  return 0;
}

function setLetter(draft: Draft, letter: string): void {
  if (letter === 't') draft.isFromHeader = true;
  else if (letter === 'i') draft.isDotText = true;
  else if (letter === 'G') draft.isGateway = true;
  else if (letter === 'v') draft.isVerbose = true;
  else if (!FORGOTTEN.includes(letter)) throw usage(`-${letter}`, 'is no option of sendmail here');
}

function setValue(draft: Draft, letter: string, value: string): void {
  switch (letter) {
    case 'f':
    case 'r':
      draft.sender = value;
      return;
    case 'F':
      draft.fullName = value;
      return;
    case 'N':
      draft.notify = parseNotify(value);
      return;
    case 'R':
      draft.ret = wordOf('-R', value, { FULL: 'FULL', HDRS: 'HDRS' } as const);
      return;
    case 'V':
      if (value.length > ENVID_MAX || !/^[\x21-\x7e]+$/.test(value))
        throw usage('-V', `has up to ${ENVID_MAX} printable characters`);
      draft.envid = value;
      return;
    case 'B':
      draft.body = wordOf('-B', value, { '7BIT': '7BIT', '8BITMIME': '8BITMIME' } as const);
      return;
    case 'b':
      draft.mode = modeOf(value);
      return;
    case 'o':
      if (value === 'i') draft.isDotText = true;
      return;
    default:
  }
}

function modeOf(value: string): SendmailArguments['mode'] {
  if (value === 'm') return 'message';
  if (value === 's') return 'session';
  if (value === 'p') return 'list';
  throw usage(`-b${value}`, 'is no mode here: -bm -bs -bp');
}

function parseNotify(value: string): readonly NotifyWord[] {
  const words = value.toUpperCase().split(',');
  if (words.length === 1 && words[0] === 'NEVER') return [];
  const known = { SUCCESS: 'SUCCESS', FAILURE: 'FAILURE', DELAY: 'DELAY' } as const;
  return [...new Set(words.map((word) => wordOf('-N', word, known)))];
}

function wordOf<T>(option: string, value: string, known: Readonly<Record<string, T>>): T {
  const upper = value.toUpperCase();
  if (!Object.hasOwn(known, upper)) throw usage(option, `takes ${Object.keys(known).join(', ')}`);
  return known[upper]!;
}

function valueFor(option: string, value: string | undefined): string {
  if (value === undefined) throw usage(option, 'needs a value');
  return value;
}

function usage(option: string, words: string): Failure {
  return new Failure('unsupported', `${option} ${words}; see \`waypost sendmail --help\``);
}
