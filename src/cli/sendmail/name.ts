// By which name the program was called: a link named `sendmail` or `mailq` is that program.

/** What `sendmail` is given; undefined: it was not asked for. `name`: of the link, where the launcher was called by one. */
export function sendmailArguments(name: string | undefined, argv: readonly string[]): readonly string[] | undefined {
  if (name === 'sendmail') return argv;
  if (name === 'mailq') return ['-bp', ...argv];
  return argv[0] === 'sendmail' ? argv.slice(1) : undefined;
}
