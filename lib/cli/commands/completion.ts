import { choose } from '../arguments/usage.ts';
import type { RunCommand } from '../context.ts';
import type { ActionOf } from '../help/command-descriptions.ts';
import { complete } from '../help/completion.ts';

const bash = `_pairmint() {
  local IFS=$'\\n'
  COMPREPLY=($(COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" pairmint completion 2>/dev/null))
  # What ends so is the beginning of a name.
  [[ \${#COMPREPLY[@]} -eq 1 && $COMPREPLY == *[/=] ]] && compopt -o nospace
}
complete -o default -F _pairmint pairmint
for _pairmint_alias in "\${!BASH_ALIASES[@]}"; do
  case "\${BASH_ALIASES[$_pairmint_alias]}" in
    *pairmint | *'pairmint kms') complete -o default -F _pairmint "$_pairmint_alias" ;;
  esac
done
unset _pairmint_alias
`;

const zsh = `#compdef pairmint
_pairmint() {
  local line="\${(j: :)words[1,CURRENT-1]} $PREFIX"
  local -a found names beginnings
  found=("\${(@f)$(COMP_LINE=$line COMP_POINT=\${#line} pairmint completion 2>/dev/null)}")
  names=(\${found:#*[/=]})
  beginnings=(\${(M)found:#*[/=]})
  if (( \${#names} + \${#beginnings} )); then
    compadd -Q -a names
    compadd -Q -S '' -a beginnings
  else
    _files
  fi
}
if [[ $funcstack[1] == _pairmint ]]; then
  _pairmint
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
  compdef _pairmint pairmint
fi
`;

const fish = `function __pairmint_complete
    set -l line (commandline -cp | string collect)
    set -l found (COMP_LINE=$line COMP_POINT=(string length -- $line) pairmint completion 2>/dev/null)
    if set -q found[1]
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c pairmint -f -a '(__pairmint_complete)'
`;

const scripts: Readonly<Record<ActionOf<'completion'>, string>> = { bash, zsh, fish };

/** Prints the script for a shell; called by that script, what fits at the cursor. */
export const run: RunCommand = async (_given, _own, { stdout, env }, [shell]) => {
  const { COMP_LINE: line, COMP_POINT: point } = env;
  if (shell === undefined && line !== undefined) {
    stdout.write(
      complete(line, Number(point ?? line.length))
        .map((word) => `${word}\n`)
        .join(''),
    );
    return 0;
  }
  stdout.write(choose(scripts, shell, 'shell'));
  return 0;
};
