// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the shells' own variables
// waypost completion bash|zsh|fish: words for the shell, made from the commands themselves.

import { Argument, Command } from 'commander';
import type { CommandContext } from '../command.ts';

type Shell = 'bash' | 'zsh' | 'fish';

export function completionCommand(context: CommandContext, program: Command): Command {
  return new Command('completion')
    .description('a completion script for your shell: source <(waypost completion bash)')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action((shell: Shell) => {
      const script = scripts[shell](words(program));
      context.printer({}).print(script, () => script);
    });
}

/** `''` -> the nouns, `domain` -> its verbs. */
function words(program: Command): ReadonlyMap<string, readonly string[]> {
  const all = new Map<string, readonly string[]>([['', program.commands.map((command) => command.name())]]);
  for (const command of program.commands)
    if (command.commands.length > 0)
      all.set(
        command.name(),
        command.commands.map((verb) => verb.name()),
      );
  return all;
}

const scripts: Record<Shell, (words: ReadonlyMap<string, readonly string[]>) => string> = {
  bash: (all) => {
    const cases = [...all]
      .filter(([noun]) => noun !== '')
      .map(([noun, verbs]) => `    ${noun}) words="${verbs.join(' ')}" ;;`);
    return [
      '_waypost() {',
      '  local words=""',
      `  if [ "$COMP_CWORD" -eq 1 ]; then words="${all.get('')!.join(' ')}"`,
      '  elif [ "$COMP_CWORD" -eq 2 ]; then case "${COMP_WORDS[1]}" in',
      ...cases,
      '  esac; fi',
      '  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))',
      '}',
      'complete -F _waypost waypost ./waypost',
    ].join('\n');
  },
  zsh: (all) => {
    const cases = [...all]
      .filter(([noun]) => noun !== '')
      .map(([noun, verbs]) => `    ${noun}) compadd ${verbs.join(' ')} ;;`);
    return [
      '#compdef waypost',
      '_waypost() {',
      `  if (( CURRENT == 2 )); then compadd ${all.get('')!.join(' ')}`,
      '  elif (( CURRENT == 3 )); then case "${words[2]}" in',
      ...cases,
      '  esac; fi',
      '}',
      'compdef _waypost waypost ./waypost',
    ].join('\n');
  },
  fish: (all) =>
    [
      'complete -c waypost -f',
      `complete -c waypost -n __fish_use_subcommand -a "${all.get('')!.join(' ')}"`,
      ...[...all]
        .filter(([noun]) => noun !== '')
        .map(([noun, verbs]) => `complete -c waypost -n "__fish_seen_subcommand_from ${noun}" -a "${verbs.join(' ')}"`),
    ].join('\n'),
};
