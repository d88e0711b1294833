import type { OptionSyntax } from './argument-parser.ts';

/** An option of the AWS CLI itself, which every operation has. */
export interface GlobalOption extends OptionSyntax {
  readonly takes: 'nothing' | 'one';
  /** Stands for its value in a synopsis. Absent if it takes none. */
  readonly value?: string;
  readonly explanation: string;
}

/** In the order of the AWS CLI's synopsis. */
export const globalOptions = [
  {
    name: '--debug',
    key: 'debug',
    takes: 'nothing',
    explanation: 'log on stderr what is done, without secrets',
  },
  {
    name: '--endpoint-url',
    key: 'endpointUrl',
    takes: 'one',
    value: 'URL',
    explanation: 'the server that serves the request; without one, the local store does',
  },
  {
    name: '--no-verify-ssl',
    key: 'verifySsl',
    takes: 'nothing',
    means: false,
    explanation: "trust any certificate of the server's",
  },
  {
    name: '--no-paginate',
    key: 'paginate',
    takes: 'nothing',
    means: false,
    explanation: 'fetch one page of a list only',
  },
  {
    name: '--output',
    key: 'output',
    takes: 'one',
    value: 'FORMAT',
    choices: ['json', 'text', 'table', 'yaml', 'yaml-stream'],
    unlistedChoices: ['off'],
    explanation: 'how the response is printed; as JSON by default',
  },
  {
    name: '--query',
    key: 'query',
    takes: 'one',
    value: 'EXPRESSION',
    explanation: 'what of the response is printed, in JMESPath',
  },
  {
    name: '--profile',
    key: 'profile',
    takes: 'one',
    value: 'NAME',
    explanation: "whose settings and credentials count in AWS's configuration files",
  },
  {
    name: '--region',
    key: 'region',
    takes: 'one',
    value: 'REGION',
    explanation: "where keys are; the store's own region by default",
  },
  {
    name: '--version',
    key: 'version',
    takes: 'nothing',
    last: true,
    explanation: 'show the version of this program and do nothing else',
  },
  {
    name: '--color',
    key: 'color',
    takes: 'one',
    value: 'WHEN',
    choices: ['on', 'off', 'auto'],
    explanation: 'whether tables are coloured; auto, the default, is on a terminal only',
  },
  {
    name: '--no-sign-request',
    key: 'signRequest',
    takes: 'nothing',
    means: false,
    explanation: 'send the request unsigned; no credentials are looked for',
  },
  {
    name: '--ca-bundle',
    key: 'caBundle',
    takes: 'one',
    value: 'FILE',
    explanation: 'the certificates (PEM) that vouch for the server',
  },
  {
    name: '--cli-read-timeout',
    key: 'readTimeout',
    takes: 'one',
    value: 'SECONDS',
    explanation: 'how long to wait for an answer; 60 by default, 0 for ever',
  },
  {
    name: '--cli-connect-timeout',
    key: 'connectTimeout',
    takes: 'one',
    value: 'SECONDS',
    explanation: 'how long to wait for a connection; 60 by default, 0 for ever',
  },
  {
    name: '--cli-binary-format',
    key: 'binaryFormat',
    takes: 'one',
    value: 'FORMAT',
    choices: ['base64', 'raw-in-base64-out'],
    explanation: 'whether blobs are given as base64, the default, or as their own text',
  },
  {
    name: '--no-cli-pager',
    key: 'pager',
    takes: 'nothing',
    means: false,
    explanation: 'print everything at once',
  },
  {
    name: '--cli-auto-prompt',
    key: 'autoPrompt',
    takes: 'nothing',
    means: true,
    explanation: 'ask for the operation and its options on the terminal',
  },
  {
    name: '--no-cli-auto-prompt',
    key: 'autoPrompt',
    takes: 'nothing',
    means: false,
    explanation: 'never ask, whatever the configuration says',
  },
] as const satisfies readonly GlobalOption[];

export type GlobalKey = (typeof globalOptions)[number]['key'];
