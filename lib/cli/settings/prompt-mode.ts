import { ParameterError } from '../errors.ts';
import { readProfile, setting } from './aws-config.ts';

/** Whether options are asked for on the terminal: always, only if the command is wrong, or never. */
export type PromptMode = 'on' | 'on-partial' | 'off';

/** Looks at whole words, as the AWS CLI does before it reads the command line. */
export function promptMode(argv: readonly string[], env: NodeJS.ProcessEnv): PromptMode {
  const [on, off] = [argv.includes('--cli-auto-prompt'), argv.includes('--no-cli-auto-prompt')];
  if (on && off) {
    throw new ParameterError(
      'Both --cli-auto-prompt and --no-cli-auto-prompt cannot be specified at the same time.',
    );
  }
  if (off || argv.includes('help') || argv.includes('--help') || argv.includes('--version')) {
    return 'off';
  }
  return on ? 'on' : configured(env);
}

function configured(env: NodeJS.ProcessEnv): PromptMode {
  const name = env.AWS_PROFILE || env.AWS_DEFAULT_PROFILE || 'default';
  const mode =
    env.AWS_CLI_AUTO_PROMPT || setting(readProfile(name, env), 'cli_auto_prompt') || 'off';
  const promptedMode = (['on', 'on-partial'] as const).find((one) => one === mode.toLowerCase());
  return promptedMode ?? 'off';
}
