// A session file: a conversation of one or more clients with a server, as text. No code in the file.
//
//   # comment                        at the start of a line, or after two blanks at the end of one
//   only     waypost                 depends on texts or set-up of ours: not run against other servers
//   not      half-closed A has the lock   not run in this way of sending (run.ts), and why
//   fixture  inbox-of-three          the scene, by name (test/sessions/fixtures.ts); `acme` when none is named
//   connect  A imap as alice, select INBOX
//   connect  B smtp                  without `as` nothing is read yet: the greeting is the first `B<`
//
//   A> EXPUNGE                       sent with CRLF; for IMAP the runner puts the tag before it
//   A| a\nb\r\n.\r\n                 sent as it stands, no CRLF, no tag; \r \n \t \0 \\ \xHH
//   A< * 2 EXPUNGE                   the next line must be this
//   A< OK                            IMAP: the tagged reply to the oldest command without one; OK NO BAD, alone or with text
//   A<*20 500 {*}                    the next 20 lines
//   A< [                             the lines up to `A< ]` in any order, each once
//   tls      A                       A begins TLS, and checks the server's certificate
//   closed                           the server closes the connection last used, and says no more; `closed A` names one
//   end      A                       we say no more, and go on listening
//   close    A                       we close it
//   write    alice mailUserStatus: disabled    the administrator gives alice's entry this value of the attribute in place
//   write    acme.example mailRoutingHosts:      without a value: the attribute goes
//                                    of all others; of a list or a domain by its name. Only where there is a directory
//   remove   alice                   deletes the entry
//   token    alice phone imap,smtp   adds a token to alice's: {phone}, and {phone.plain} as her password in PLAIN; once a file
//   revoke   alice phone             removes it
//   prove    alice challenge         SCRAM-SHA-256: {alice.scram} was her first message, {challenge} the answer; from here on
//                                    {proof} is her last message, {verifier} what the server must say to it
//   mailbox  alice INBOX is empty    asked over IMAP; also `has 3`; waits up to ten seconds for it
//
//   {name}      captured on first sight, compared afterwards, put in where it is sent; {hostname}, and for each user of
//               the fixture {alice} (the address), {alice.plain}, {alice.scram} and {alice.password}, are there from the start
//   {*} {?}     anything; any one character
//   {x*3000}    in what is sent: x 3000 times
//   ...         at the end of a pattern: the rest of this one reply, whatever it is (SMTP 250-, POP3 up to the dot);
//               alone, for IMAP: untagged responses up to the tagged one, which the next line expects
//
// In   the file's text     Out  its steps, each with its line     Errors  a line it does not know is an error with its number

/** How what is sent reaches the server; the answers are the same. */
export const WAYS = ['as-written', 'one-packet', 'octets', 'half-closed', 'exchanged'] as const;
export type Way = (typeof WAYS)[number];

export type Step = { readonly line: number } & (
  | { readonly kind: 'only'; readonly server: string }
  | { readonly kind: 'not'; readonly way: Way }
  | { readonly kind: 'fixture'; readonly name: string }
  | {
      readonly kind: 'connect';
      readonly connection: string;
      readonly door: string;
      readonly user: string | undefined;
      readonly open: { readonly verb: 'SELECT' | 'EXAMINE'; readonly mailbox: string } | undefined;
    }
  | { readonly kind: 'send' | 'raw'; readonly connection: string; readonly text: string }
  | { readonly kind: 'expect'; readonly connection: string; readonly pattern: string; readonly times: number }
  | { readonly kind: 'anyOrder'; readonly connection: string; readonly patterns: readonly string[] }
  | { readonly kind: 'closed' | 'close' | 'end'; readonly connection: string | undefined }
  | { readonly kind: 'tls'; readonly connection: string }
  | { readonly kind: 'write'; readonly entry: string; readonly attribute: string; readonly value: string | undefined }
  | { readonly kind: 'remove'; readonly entry: string }
  | { readonly kind: 'token'; readonly user: string; readonly name: string; readonly scopes: string }
  | { readonly kind: 'revoke'; readonly user: string; readonly name: string }
  | { readonly kind: 'prove'; readonly user: string; readonly challenge: string }
  | { readonly kind: 'mailbox'; readonly user: string; readonly mailbox: string; readonly messages: number }
);

export class ScriptError extends Error {}

export function parseScript(text: string): Step[] {
  const steps: Step[] = [];
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const source = withoutComment(lines[i]!);
    if (source === '') continue;
    const line = i + 1;
    const talk = /^(\w+)([<>|])(?:\*(\d+))?(?: (.*))?$/s.exec(source);
    if (talk === null) {
      steps.push({ line, ...directive(source, line) });
      continue;
    }
    const [, connection, sign, times, rest = ''] = talk as unknown as [string, string, string, string?, string?];
    if (sign === '>') steps.push({ line, kind: 'send', connection, text: rest });
    else if (sign === '|') steps.push({ line, kind: 'raw', connection, text: rest });
    else if (rest !== '[') steps.push({ line, kind: 'expect', connection, pattern: rest, times: Number(times ?? 1) });
    else {
      const patterns: string[] = [];
      for (i++; ; i++) {
        const inner = i < lines.length ? withoutComment(lines[i]!) : undefined;
        if (inner === undefined || (inner !== '' && !inner.startsWith(`${connection}< `)))
          throw new ScriptError(`${line}: the block has no ${connection}< ]`);
        if (inner === '') continue;
        const pattern = inner.slice(connection.length + 2).trimStart();
        if (pattern === ']') break;
        patterns.push(pattern);
      }
      steps.push({ line, kind: 'anyOrder', connection, patterns });
    }
  }
  return steps;
}

/** Octets as characters, so that what is written in UTF-8 is sent and compared as UTF-8. */
function withoutComment(line: string): string {
  const bare = line.startsWith('#') ? '' : line.replace(/\s{2,}# .*$/, '').trimEnd();
  return Buffer.from(bare, 'utf8').toString('latin1');
}

type Bare<S> = S extends unknown ? Omit<S, 'line'> : never;

function directive(source: string, line: number): Bare<Step> {
  let found = /^connect\s+(\w+)\s+([a-z][a-z0-9]*)(?:\s+as\s+([\w-]+))?(?:,\s*(select|examine)\s+(\S+))?$/.exec(source);
  if (found !== null) {
    const [, connection, door, user, verb, mailbox] = found;
    const open =
      verb === undefined ? undefined : { verb: verb.toUpperCase() as 'SELECT' | 'EXAMINE', mailbox: mailbox! };
    return { kind: 'connect', connection: connection!, door: door!, user, open };
  }
  if ((found = /^(only|fixture)\s+([\w-]+)$/.exec(source)) !== null) {
    return found[1] === 'only' ? { kind: 'only', server: found[2]! } : { kind: 'fixture', name: found[2]! };
  }
  if ((found = /^not\s+(one-packet|octets|half-closed|exchanged)\s+\S/.exec(source)) !== null) {
    return { kind: 'not', way: found[1] as Way };
  }
  if ((found = /^(closed?|end)(?:\s+(\w+))?$/.exec(source)) !== null) {
    return { kind: found[1] as 'closed' | 'close' | 'end', connection: found[2] };
  }
  if ((found = /^tls\s+(\w+)$/.exec(source)) !== null) return { kind: 'tls', connection: found[1]! };
  if ((found = /^write\s+(\S+)\s+(\w+):(?: (\S.*))?$/.exec(source)) !== null) {
    return { kind: 'write', entry: found[1]!, attribute: found[2]!, value: found[3] };
  }
  if ((found = /^remove\s+(\S+)$/.exec(source)) !== null) return { kind: 'remove', entry: found[1]! };
  if ((found = /^token\s+(\S+)\s+([\w-]+)\s+([a-z,]+)$/.exec(source)) !== null) {
    return { kind: 'token', user: found[1]!, name: found[2]!, scopes: found[3]! };
  }
  if ((found = /^revoke\s+(\S+)\s+([\w-]+)$/.exec(source)) !== null) {
    return { kind: 'revoke', user: found[1]!, name: found[2]! };
  }
  if ((found = /^prove\s+(\S+)\s+([a-z][\w-]*)$/.exec(source)) !== null) {
    return { kind: 'prove', user: found[1]!, challenge: found[2]! };
  }
  if ((found = /^mailbox\s+(\S+)\s+(\S+)\s+(?:is (empty)|has (\d+))$/.exec(source)) !== null) {
    return { kind: 'mailbox', user: found[1]!, mailbox: found[2]!, messages: Number(found[4] ?? 0) };
  }
  throw new ScriptError(`${line}: not a line of a session: ${source}`);
}
