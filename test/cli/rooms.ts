/**
 * The rooms of lib/cli from the lowest to the highest. A file imports from its own room and from
 * rooms before it. Files that stand in lib/cli itself are rooms of their own.
 */
export const rooms = {
  'errors.ts': 'failures and their exit codes',
  'context.ts': 'what a command is given: sinks, environment, the service',
  python: "values, texts and JSON as the AWS CLI's Python has them",
  files: 'the file of a batch, and its claim by one process',
  jmespath: 'the language of --query',
  arguments: 'words of the command line to a request',
  output: 'a response to text',
  settings: "global options, environment and AWS's configuration files, taken together",
  remote: "requests to a server, through AWS's SDK",
  help: 'help, completion, skeletons and questions on the terminal',
  commands: 'one file per command',
  'own-commands.ts': "the table of the commands that the AWS CLI doesn't have",
  'main.ts': 'which command a command line means',
  'bin.ts': 'the process',
} as const satisfies Readonly<Record<string, string>>;

/** The files outside lib/cli that a command needs beside lib/service, lib/model and lib/core. */
export const otherDoors: readonly string[] = ['lib/http/serving.ts'];
